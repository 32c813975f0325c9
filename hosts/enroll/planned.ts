/** What an enrolment would change on a host: the words of a dry run. */
import { BOOT_SWEEPS, type HostFiles } from './host-files';
import { sumOf, type HostkitTree } from './hostkit-tree';
import { damagedParts, type Survey } from './survey';
import { installCommand } from './tools';

const JUMP = '/var/lib/resurgo/home/.ssh/authorized_keys2';
const IDENTITY = '/etc/resurgo/host.key';
/** As `identity.sh` says it. */
const DISCLOSED = "a new identity: the old key was not root's alone";

/** The identity that stays; undefined where a new one is made, as there is none yet or others than root could have read it. */
export function keptIdentity({ identity, disclosed }: Survey): string | undefined {
  return disclosed ? undefined : identity;
}

export function planned({
  found,
  files,
  hostkit,
}: {
  found: Survey;
  files: HostFiles;
  hostkit: HostkitTree;
}): string[] {
  const differs = (file: string, text: string) => found.sums.get(file) !== sumOf(text);
  // Of a disclosed identity the public half goes too.
  const loose = found.loose.filter((path) => !found.disclosed || !path.startsWith(IDENTITY));
  return [
    ...(found.missing.length > 0 ? [`missing tools: ${found.missing.join(', ')} (${installCommand(found)})`] : []),
    ...(found.user === undefined ? [`user ${files.user}`] : []),
    ...(found.hash === hostkit.hash
      ? damagedParts({ found, hostkit }).map((part) => `/usr/local/lib/resurgo/${part} (not as installed)`)
      : [`hostkit ${found.version || 'none'} → ${hostkit.version}`]),
    ...loose.map((path) => `${path} (owner or mode)`),
    ...(found.disclosed ? [`${IDENTITY} (${DISCLOSED})`] : found.identity === undefined ? [IDENTITY] : []),
    ...(differs('host.conf', files.config) ? ['/etc/resurgo/host.conf'] : []),
    ...(differs('peers', files.peers) ? ['/etc/resurgo/peers'] : []),
    ...(differs('director.keys', files.directorKeys) ? ['/etc/resurgo/director.keys'] : []),
    ...(differs('sudoers', files.sudoers) ? ['/etc/sudoers.d/resurgo'] : []),
    ...found.noFolders,
    ...(sweepStands(found) ? [] : [found.boot === 'rc.local' ? '/etc/rc.local' : BOOT_SWEEPS[found.boot].path]),
    ...(files.jump !== '' && differs('jump', files.jump) ? [JUMP] : []),
    ...(files.jump === '' && found.sums.has('jump') ? [`${JUMP} (removed)`] : []),
  ];
}

function sweepStands({ boot, sums }: Survey): boolean {
  return sums.get('boot') === (boot === 'rc.local' ? 'listed' : sumOf(BOOT_SWEEPS[boot].text));
}
