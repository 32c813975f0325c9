/** `resurgo adopt`: look at backups that another director's key has signed, and take that key as genuine (S19). */
import type { Command } from '@commander-js/extra-typings';
import { adoptSigner } from '../../hosts/adopted-signers';
import type { StoreEntry } from '../../hosts/backups';
import { counted } from '../../planning/counted';
import { KEY_HELP, KNOWN_HOSTS } from '../admin-login';
import { adoptTarget } from '../adopt-target';
import { ask } from '../ask';
import { operator, run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, printable, table } from '../output';
import { entriesOf } from './list';

/** How much of a key is typed to approve it: 48 bits, as much as of a restore's plan. */
const TYPED = 12;

/** The backups of one unknown key. */
interface Foreign {
  publicKeyHex: string;
  /** What the backups call their director; only a name, the key is what counts. */
  director: string;
  /** Oldest first, never empty. */
  ids: string[];
  /** Bytes of the newest. */
  newestBytes: number;
  hosts: string[];
}

export function registerAdopt(program: Command): void {
  program
    .command('adopt')
    .argument('[group]', 'the protection group')
    .option('--approve <key>', `the key to adopt, at least its first ${TYPED} digits: no question is asked`)
    .option(
      '--target <address>',
      'with neither runbook nor director: [USER@]ADDRESS[:PORT] of the target, whose backups hold the runbook',
    )
    .option('--fingerprint <fingerprint>', "with --target: SHA256:… of the target's ssh host key")
    .option('--key <file>', `with --target: ${KEY_HELP}`)
    .option('--ask-password', "with --target: ask for the administrator's ssh password")
    .option('--ask-sudo', 'with --target: ask for the sudo password')
    .option('--known-hosts <file>', 'with --target: vouches for its ssh host key', KNOWN_HOSTS)
    .description("take another director's backups as genuine, so that they can be restored")
    .addHelpText(
      'after',
      '\nAfter the loss of a director, or for a store that came from elsewhere. Shows whose keys signed the backups that this\ndirector can not vouch for. Compare the key with what you know of it: `resurgo list --json` on the old director, or a\nnote of yours. Only restores change by it: nothing that such a backup says is run.\n\nExample:\n  $ resurgo adopt portal\n  $ resurgo adopt --target root@192.0.2.2 --fingerprint SHA256:…',
    )
    .action((group, options, command) =>
      run(command, (context) => {
        const { target, approve } = options;
        return target === undefined
          ? adopt(context, group, approve)
          : adoptTarget(context, { ...options, target, group });
      }),
    );
}

async function adopt(context: CliContext, group: string | undefined, approve: string | undefined): Promise<number> {
  if (approve !== undefined && approve.length < TYPED) throw noSuchKey(approve);
  const { entries, name, genuine } = await entriesOf(context, group);
  const foreign = foreignOf({ entries, genuine });
  if (foreign.length === 0) {
    context.out.result({
      json: { group: name, foreign: [], adopted: null },
      text: `every backup of ${name} that is signed is signed by a key that this director knows: nothing to adopt`,
    });
    return EXIT.ok;
  }
  context.out.say(describe({ foreign, name }));
  const typed = approve ?? (await asked(context));
  const chosen = typed === undefined ? undefined : pick({ foreign, typed });
  if (chosen !== undefined)
    await adoptSigner({
      ...{ stateDir: context.stateDir, publicKeyHex: chosen.publicKeyHex },
      ...{ by: operator(), now: new Date() },
    });
  context.out.result({
    json: { group: name, foreign: foreign.map((each) => ({ ...each })), adopted: chosen?.publicKeyHex ?? null },
    text:
      chosen === undefined
        ? `nothing was adopted; adopt one of them with: resurgo adopt ${name} --approve KEY`
        : `adopted ${chosen.publicKeyHex}: its ${counted(chosen.ids.length, 'backup')} of ${name} can be restored`,
  });
  return chosen === undefined ? EXIT.incomplete : EXIT.ok;
}

/** The unknown keys that have signed whole manifests; a backup with a bad signature is nobody's. */
function foreignOf({ entries, genuine }: { entries: readonly StoreEntry[]; genuine: readonly string[] }): Foreign[] {
  const found = new Map<string, Foreign>();
  for (const { id, manifest, signedBy } of entries) {
    if (manifest === undefined || signedBy === undefined || genuine.includes(signedBy)) continue;
    const before = found.get(signedBy);
    found.set(signedBy, {
      publicKeyHex: signedBy,
      director: manifest.director.id,
      ids: [...(before?.ids ?? []), id],
      newestBytes: manifest.sources.reduce((sum, each) => sum + (each.state === 'ok' ? each.bytes : 0), 0),
      hosts: [...new Set([...(before?.hosts ?? []), ...manifest.sources.map((each) => each.host)])].sort(),
    });
  }
  return [...found.values()];
}

function describe({ foreign, name }: { foreign: readonly Foreign[]; name: string }): string {
  const rows = foreign.map((each) => [
    each.publicKeyHex,
    printable(each.director),
    String(each.ids.length),
    `${each.ids[0] ?? ''} … ${each.ids.at(-1) ?? ''}`,
    bytes(each.newestBytes),
    printable(each.hosts.join(' ')),
  ]);
  return [
    `backups of ${name} that are signed by keys unknown to this director:`,
    table([['key', 'calls itself', 'backups', 'from … to', 'newest', 'hosts'], ...rows]),
  ].join('\n');
}

async function asked(context: CliContext): Promise<string | undefined> {
  // Without the table on the screen there is nothing to compare with.
  if (!process.stdin.isTTY || context.out.json || context.out.quiet) return undefined;
  const question = `Type the first ${TYPED} digits of the key to adopt, anything else to stop: `;
  const typed = await ask({ question, left: 'nothing was adopted' });
  return typed === '' ? undefined : typed;
}

/** @throws CliError when that is not the beginning of exactly one shown key */
function pick({ foreign, typed }: { foreign: readonly Foreign[]; typed: string }): Foreign {
  const matching = typed.length < TYPED ? [] : foreign.filter((each) => each.publicKeyHex.startsWith(typed));
  const [only] = matching;
  if (only === undefined || matching.length > 1) throw noSuchKey(typed);
  return only;
}

function noSuchKey(typed: string): CliError {
  return new CliError(
    `"${printable(typed)}" is not the beginning (${TYPED} digits or more) of one of the keys shown; nothing was adopted`,
    EXIT.usage,
  );
}
