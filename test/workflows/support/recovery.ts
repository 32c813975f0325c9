/** A machine that is lost, its backup, and another one whose rescue system answers: in memory, over the fake fleet. */
import { gzipSync } from 'node:zlib';
import type { ActivityDeps } from '../../../activities/context';
import { buildManifest } from '../../../planning/build-manifest';
import { canonicalJson } from '../../../planning/canonical';
import type { Facts } from '../../../planning/layout-facts';
import type { Layout } from '../../../planning/layout-schema';
import { DEFAULT_RECOVERY_POLICY } from '../../../planning/recover-machine';
import type { RecoverInput } from '../../../planning/run-input';
import { sha256Hex } from '../../../planning/sha256';
import { HostError } from '../../../hosts/errors';
import type { HostErrorCode } from '../../../hosts/errors';
import type { Look } from '../../../hosts/look';
import type { FakeCall, FakeHosts, FakeOptions } from '../../../hosts/fake';
import { rescueAt } from '../../../hosts/rescue-host';
import { own } from '../../cli/support/stored';
import { backedUp, manifestInput } from '../../planning/samples';
import { ALL_TOOLS } from '../../planning/layout-builder';
import { altered, golden } from '../../planning/layout-machines';
import { backupInput, fleetRunbook } from './engine';

const ID = '20261121_013000';
const TREE = 'app-1@+';
export const RESCUE = 'app-1.rescue';
const ZEROS = `${' 00'.repeat(16)}\n`.repeat(32);

interface Disk {
  name: string;
  bytes: number;
  serial: string;
}

/** What the rescue system tells of a machine with these blank disks. */
export function rescueFacts(disks: readonly Disk[], firmware: Layout['boot']['firmware'] = 'bios'): Facts {
  const none = { exit: 1, out: '', err: 'sfdisk: /dev/x: does not contain a recognized partition table\n' };
  const rows = disks.map(({ name, bytes }, i) => ({
    ...{ name, kname: name, pkname: null, 'maj:min': `8:${i * 16}`, size: bytes, type: 'disk' },
    ...{ ro: false, rm: false, rota: false, 'log-sec': 512, 'phy-sec': 512 },
  }));
  return altered(
    {},
    {
      lsblk: JSON.stringify({ blockdevices: rows }),
      ...{
        slaves: '',
        mounts: '1 1 0:2 / / rw - rootfs rootfs rw\n',
        swaps: 'Filename Type Size Used Priority\n',
        media: '',
      },
      tools: [...ALL_TOOLS.programs].map((each) => `${each} /usr/sbin/${each}\n`).join(''),
      'kernel-modules': [...ALL_TOOLS.modules].map((each) => `${each}\n`).join(''),
      ...{ efi: { exit: firmware === 'uefi' ? 0 : 1, out: '', err: '' }, meminfo: 'MemTotal: 1000000 kB\n' },
      ...{ 'ip-link': '[]', 'ip-addr': '[]', 'ip-route': '[]', 'ip-route6': '[]' },
      disks: disks.map(({ name, bytes, serial }) => `${name} ${bytes} ${serial} -\n`).join(''),
      ...Object.fromEntries(disks.map(({ name }) => [`blkid:/dev/${name}`, { exit: 2, out: '', err: '' }])),
      ...Object.fromEntries(disks.map(({ name }) => [`sfdisk:/dev/${name}`, none])),
      ...Object.fromEntries(disks.map(({ name }) => [`sector:/dev/${name}`, ZEROS])),
    },
  );
}

export interface Recovery {
  input: RecoverInput;
  layout: Layout;
  fake: FakeOptions;
  /** What the director does beyond the fleet, in place of nothing. */
  deps: Partial<ActivityDeps['rescue']>;
  /** Puts the sealed backup into the store. */
  seal: (fleet: FakeHosts) => void;
  /** What has been asked of the rescue system, jobs by their kind. */
  asked: string[];
  /** The machine as it is now; a test changes it. */
  now: {
    disks: Disk[];
    rescueBoot: string;
    /** How the old machine answers: an error's code, or as itself. */
    oldMachine: HostErrorCode | 'itself';
    /** What a mere look at its address and port finds, where that is not as it answers. */
    seen?: Partial<Look>;
    rebooted: boolean;
    /** The run that the system which boots then says to be made by; undefined: its hostkit knows of none. */
    mark?: string | null;
  };
}

/** @param more what hosts answer in place of the machine's own; `layouts`: of the manifest, in place of one that is whole; `parts`: the mount points that it tells of */
export function recovery(
  options: {
    group?: object;
    input?: Partial<RecoverInput>;
    layouts?: { recoverable: boolean; reasons: string[] }[];
    /** Whose layout it is; the backup holds the headers of its encrypted volumes. */
    machine?: string;
    parts?: string[];
    /** Makes of that layout another one. */
    change?: (layout: Layout) => void;
    more?: (call: FakeCall) => Record<string, unknown> | undefined;
  } = {},
): Recovery {
  const layout = { ...golden(options.machine ?? 'gpt-bios-ext4'), host: 'app-1' };
  options.change?.(layout);
  const luksHeaders = layout.luks.map(({ uuid }) => ({ uuid, bytes: 2 ** 24, headerSha256: 'b'.repeat(64) }));
  const text = canonicalJson(layout);
  const source = { host: 'app-1', path: '/', name: 'system', snapshot: 'system' };
  const { run, ...setup } = backupInput(fleetRunbook(1, { sources: [source], ...options.group }));
  const [host] = setup.hosts;
  const [disk] = layout.disks;
  if (host === undefined || disk === undefined) throw new Error('no host or no disk');
  const rescue = rescueAt({ host, at: '10.0.0.77' });
  const now: Recovery['now'] = {
    disks: [{ name: 'vda', bytes: disk.bytes, serial: 'NEW-1' }],
    ...{ rescueBoot: 'rescue-1', oldMachine: 'unreachable', rebooted: false, mark: run },
  };
  const asked: string[] = [];
  const away = (call: FakeCall, code: HostErrorCode, message = 'said the test'): never => {
    throw new HostError({ host: call.host, verb: call.verb, code, message });
  };
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    const { verb, args } = call;
    if (call.host === RESCUE) {
      if (now.rebooted) return away(call, 'unreachable');
      if (verb === 'job.start') asked.push(String(args['kind']));
      else if (!['probe', 'job.poll'].includes(verb)) asked.push(verb);
    }
    if (call.host === RESCUE && verb === 'job.start' && (args['boot'] ?? now.rescueBoot) !== now.rescueBoot)
      return away(call, 'rebooted', 'this system was booted anew since');
    const over = options.more?.(call);
    if (over !== undefined) return over;
    if (call.host === RESCUE && verb === 'layout') return { facts: rescueFacts(now.disks, layout.boot.firmware) };
    if (call.host === RESCUE && verb === 'probe') return { host: 'app-1', bootId: now.rescueBoot };
    if (call.host === RESCUE && verb === 'job.start' && args['kind'] === 'new-reboot') now.rebooted = true;
    if (call.host !== 'app-1') return undefined;
    if (now.rebooted) return verb === 'probe' ? { bootId: 'its own', uptimeMs: 5, recovered: now.mark } : undefined;
    if (verb === 'look' && now.seen !== undefined) return now.seen;
    return now.oldMachine === 'itself' ? undefined : away(call, now.oldMachine);
  };
  const layouts = (options.layouts ?? [{ recoverable: true, reasons: [] }]).map((each) => ({
    ...each,
    host: 'app-1',
    sha256: sha256Hex(text),
  }));
  const parts = options.parts?.map((path) => ({ path, fsType: 'ext4', fsUuid: 'aaaa' }));
  const identity = { realPath: '/', fsType: 'ext4', fsUuid: 'aaaa', ...(parts === undefined ? {} : { parts }) };
  return {
    ...{ layout, asked, now, fake: { intercept }, deps: {} },
    seal: (fleet) => {
      const manifest = {
        ...buildManifest(
          manifestInput({
            backedUp: [
              backedUp({
                ...{ hostName: 'app-1', name: 'system', path: '/', tree: TREE, kind: 'system', identity },
                ...(luksHeaders.length === 0 ? {} : { luksHeaders }),
              }),
            ],
            director: { id: 'director-test', publicKeyHex: own.publicKeyHex },
            previous: null,
          }),
        ),
        layouts,
      };
      const bytes = Buffer.from(canonicalJson(manifest));
      fleet.host('target').layouts.set(`${manifest.run} app-1`, gzipSync(Buffer.from(text)).toString('base64'));
      fleet.host('target').backups.push({
        ...{ group: 'portal', id: ID, run: manifest.run, state: 'sealed' },
        ...{ manifest: bytes.toString('base64'), manifestSig: own.sign(bytes) },
      });
    },
    input: {
      ...{ run, requestedBy: 'test', setup, host, rescue, id: ID, policy: { ...DEFAULT_RECOVERY_POLICY } },
      ...{ oldMachineIsGone: false, approve: null, planOnly: false },
      ...options.input,
    },
  };
}
