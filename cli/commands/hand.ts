/** `resurgo pause`, `unpause`, `stop`, `start`: the operator's hand on a whole group, over the hosts themselves; no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { z } from 'zod';
import { HostError } from '../../hosts/errors';
import type { HostRef, Hosts } from '../../hosts/hosts';
import { restore } from '../../hosts/verbs/restore';
import { pauseWorkload, startWorkload, stopWorkload, unpauseWorkload } from '../../hosts/verbs/workload';
import { goneWhileStopped } from '../../planning/gone-while-stopped';
import { keptStopped } from '../../planning/kept-stopped';
import { startWaves } from '../../planning/order';
import type { GroupSetup } from '../../planning/run-input';
import { DURATION_PATTERN, parseDuration } from '../../runbooks/units';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { duration, printable, table } from '../output';
import { releaseHand, takeHand } from './hand-lease';
import type { Hand } from './hand-lease';

export function registerHand(program: Command): void {
  program
    .command('pause')
    .argument('<group>', 'the protection group')
    .description("pause the group's containers and units on all its hosts; each host lets them run again by itself")
    .option('--for <duration>', "until then at the latest, like 20s; each host's own limit counts too")
    .addHelpText('after', '\nExample:\n  $ resurgo pause portal --for 20s')
    .action((group, options, command) => inContext(command, (context) => pause(context, { group, ...options })));
  program
    .command('unpause')
    .argument('<group>', 'the protection group')
    .description('let run again what `pause` has paused, and only that; works with the store out of reach')
    .addHelpText('after', '\nExample:\n  $ resurgo unpause portal')
    .action((group, _options, command) => inContext(command, (context) => unpause(context, group)));
  program
    .command('stop')
    .argument('<group>', 'the protection group')
    .description('stop what a restore would stop, see it stopped, and keep it from starting, over a reboot too')
    .addHelpText('after', '\nExample:\n  $ resurgo stop portal')
    .action((group, _options, command) => inContext(command, (context) => stop(context, group)));
  program
    .command('start')
    .argument('<group>', 'the protection group')
    .description('start again what `stop` has stopped, and only that; works with the store out of reach')
    .option(
      '--as-it-is',
      'also start what a restore has stopped and not finished: on half-restored data, if it came so far',
    )
    .addHelpText('after', '\nExample:\n  $ resurgo start portal')
    .action((group, options, command) => inContext(command, (context) => start(context, { group, ...options })));
}

/** A host's limit may be shorter than asked, its clock a little off, its last attempts slow: the group stays held so much longer. */
const HOLD_LONGER_S = 60;

/** What one host did. */
type Outcome =
  | {
      host: string;
      ok: true;
      names: string[];
      failed: string[];
      gone: string[];
      limitMs?: number;
      deadmanFired?: boolean;
    }
  | { host: string; ok: false; message: string };

async function pause(context: CliContext, asked: { group: string; for?: string }): Promise<number> {
  // Before anything is read or asked.
  const forS = asked.for === undefined ? undefined : seconds(asked.for);
  const { setup, hosts } = await fleet(context, asked.group);
  // No host grants more than its own limit: a group that is held for longer would keep every backup away for nothing.
  const limitS = setup.group.quiesce.maxPauseS;
  const maxPauseS = Math.min(forS ?? limitS, limitS);
  if (forS !== undefined && forS > limitS)
    context.out.warn(
      `no pause of ${asked.group} is longer than its max_pause of ${duration(limitS * 1000)}: --for ${asked.for ?? ''} gets no more`,
    );
  const step = 'hand-pause';
  // The group stays held while it is paused: a sweep takes what nobody holds for the leftover of a dead run.
  const hand = await takeHand({ hosts, setup, step, ttlS: maxPauseS + HOLD_LONGER_S, withoutStore: false });
  const outcomes = await together({ hosts: setup.hosts, hand }, (host) =>
    pauseWorkload({ hosts, host, step, fence: hand.fenceAt(host), maxPauseS }),
  );
  const held = outcomes.some((each) => each.ok) ? new Map<string, string>() : await releaseHand({ hosts, setup, hand });
  return report(context, {
    hand,
    held,
    outcomes,
    verb: 'paused',
    line: ({ limitMs }) =>
      limitMs === undefined
        ? ''
        : `runs again by itself at ${new Date(Date.now() + limitMs).toISOString().slice(11, 19)} UTC at the latest (${duration(limitMs)})`,
    next: `let it run again with: resurgo unpause ${asked.group}`,
  });
}

async function unpause(context: CliContext, group: string): Promise<number> {
  const { setup, hosts } = await fleet(context, group);
  const step = 'hand-unpause';
  const hand = await takeHand({ hosts, setup, step, withoutStore: true });
  const outcomes = await together({ hosts: setup.hosts, hand }, (host) =>
    unpauseWorkload({ hosts, host, step, fence: hand.fenceAt(host), timeoutMs: 120_000 }),
  );
  const held = await releaseHand({ hosts, setup, hand });
  return report(context, {
    hand,
    held,
    outcomes,
    verb: 'unpaused',
    line: ({ deadmanFired }) => (deadmanFired === true ? 'the dead-man had let it run again already' : ''),
  });
}

async function stop(context: CliContext, group: string): Promise<number> {
  const { setup, hosts } = await fleet(context, group);
  const step = 'hand-stop';
  const hand = await takeHand({ hosts, setup, step, withoutStore: false });
  const outcomes = await inOrder({ setup, hand, way: 'stop' }, (host) =>
    stopWorkload({ hosts, host, step, fence: hand.fenceAt(host) }),
  );
  const held = await releaseHand({ hosts, setup, hand });
  return report(context, {
    hand,
    held,
    outcomes,
    verb: 'stopped',
    line: () => 'stays stopped until it is started',
    next: `start it again with: resurgo start ${group}`,
  });
}

async function start(context: CliContext, asked: { group: string; asItIs?: true }): Promise<number> {
  const { setup, hosts } = await fleet(context, asked.group);
  const step = 'hand-start';
  const hand = await takeHand({ hosts, setup, step, withoutStore: true });
  const outcomes = await inOrder({ setup, hand, way: 'start' }, async (host) => {
    const on = { hosts, host, step, fence: hand.fenceAt(host) };
    if (asked.asItIs !== true) {
      const byHand = lists.parse(await startWorkload(on));
      return { ...byHand, failed: [...byHand.failed, ...keptBy(byHand.restore), ...keptStopped(byHand.kept)] };
    }
    // The restore's comes first: while its record stands, the hand's is not started.
    const byRestore = await startedOrWhy(() => restore({ ...on, verb: 'start' }));
    const byHand = await startedOrWhy(() => startWorkload(on));
    const started = [...byRestore.started, ...byHand.started];
    // What the restore has left to the stop by hand of the same group has just been started with that.
    const kept = [...byRestore.kept, ...byHand.kept].filter(({ name }) => !started.includes(name));
    return {
      started,
      failed: [...byRestore.failed, ...byHand.failed, ...keptStopped(kept)],
      gone: [...byRestore.gone, ...byHand.gone],
    };
  });
  const held = await releaseHand({ hosts, setup, hand });
  return report(context, { hand, held, outcomes, verb: 'started', line: () => '' });
}

async function fleet(context: CliContext, group: string): Promise<{ setup: GroupSetup; hosts: Hosts }> {
  const { setup } = await context.group(group);
  const hosts = await context.hosts();
  return { setup, hosts };
}

/** Whole seconds of a duration like 20s. @throws CliError */
function seconds(text: string): number {
  const value = DURATION_PATTERN.test(text) ? parseDuration(text) : 0;
  if (value < 1) throw new CliError(`--for wants a duration from 1s, like 20s or 2m, not "${text}"`, EXIT.usage);
  return value;
}

/** All hosts at once; each tells for itself how it went. */
function together(
  { hosts, hand }: { hosts: readonly HostRef[]; hand: Hand },
  each: (host: HostRef) => Promise<unknown>,
): Promise<Outcome[]> {
  return Promise.all(
    hosts.map(async (host) => {
      const message = hand.failed.get(host.name);
      return message === undefined ? await outcomeOf(host, each) : { host: host.name, ok: false, message };
    }),
  );
}

/** In the waves of a restore (where engines stop, workers before managers), and the other way round to start. */
async function inOrder(
  { setup, hand, way }: { setup: GroupSetup; hand: Hand; way: 'stop' | 'start' },
  each: (host: HostRef) => Promise<unknown>,
): Promise<Outcome[]> {
  const { hosts, stopWaves } = setup;
  const waves = way === 'stop' ? stopWaves : startWaves({ stopped: stopWaves });
  const outcomes: Outcome[] = [];
  for (const wave of waves)
    outcomes.push(...(await together({ hosts: hosts.filter(({ name }) => wave.includes(name)), hand }, each)));
  return outcomes;
}

const mention = z.union([z.string(), z.looseObject({ name: z.string() }).transform(({ name }) => name)]);
/** What another restore, or stop by hand, of the host needs stopped. */
const kept = z.array(z.object({ name: z.string(), by: z.string() })).default([]);
const lists = z.looseObject({
  restore: z.string().optional(),
  started: z.array(mention).default([]),
  failed: z.array(mention).default([]),
  /** What was removed or made anew while it was stopped. */
  gone: z.array(z.string()).default([]),
  kept,
});
const reply = lists.extend({
  paused: z.array(mention).default([]),
  thawed: z.array(mention).default([]),
  stopped: z.array(mention).default([]),
  limitMs: z.number().optional(),
  deadmanFired: z.boolean().optional(),
});

/** What a record has started, or the host's word on why it does not start whole. Where the host does not answer it throws. */
async function startedOrWhy(start: () => Promise<unknown>): Promise<z.output<typeof lists>> {
  try {
    return lists.parse(await start());
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'failed') throw error;
    return { ...lists.parse(error.detail), failed: [error.message] };
  }
}

/** A restore that did not come to its end: what it stopped does not start on half of the data. */
function keptBy(run: string | undefined): string[] {
  if (run === undefined) return [];
  return [
    `what ${run} has stopped for a restore that is not finished: restore again, or start it on the data as it is with --as-it-is`,
  ];
}

async function outcomeOf(host: HostRef, each: (host: HostRef) => Promise<unknown>): Promise<Outcome> {
  try {
    const { paused, thawed, stopped, started, failed, gone, limitMs, deadmanFired } = reply.parse(await each(host));
    return {
      host: host.name,
      ok: true,
      names: [...paused, ...thawed, ...stopped, ...started],
      failed,
      gone,
      limitMs,
      deadmanFired,
    };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { host: host.name, ok: false, message: error.message };
  }
}

function report(
  { out }: CliContext,
  told: {
    hand: Hand;
    /** Where the group could not be given back, and why. */
    held: ReadonlyMap<string, string>;
    outcomes: Outcome[];
    verb: string;
    line: (outcome: Outcome & { ok: true }) => string;
    next?: string;
  },
): number {
  const { hand, held, outcomes, verb, line, next } = told;
  const bad = outcomes.filter((each) => !each.ok || each.failed.length > 0);
  const rows = outcomes.map((each) => {
    if (!each.ok) return [each.host, 'FAILED', each.message];
    const names = each.names.length === 0 ? `nothing to be ${verb}` : `${verb}: ${each.names.join(', ')}`;
    const failed = each.failed.length === 0 ? '' : `FAILED: ${each.failed.join(', ')}`;
    return [
      each.host,
      names,
      [failed, each.names.length === 0 ? '' : line(each)].filter((part) => part !== '').join('; '),
    ];
  });
  const acted = outcomes.some((each) => each.ok && each.names.length > 0);
  if (hand.withoutStore !== undefined)
    out.warn(printable(`the store can't be asked, so nothing keeps another run away now: ${hand.withoutStore}`));
  for (const why of held.values())
    out.warn(printable(`the group is not given back there and stays held for up to 15 minutes: ${why}`));
  for (const each of outcomes)
    for (const name of each.ok ? each.gone : []) out.warn(printable(`${each.host}: ${goneWhileStopped(name)}`));
  out.result({
    json: { run: hand.run, verb, withoutStore: hand.withoutStore, hosts: outcomes.map((each) => ({ ...each })) },
    text: [table(rows), ...(next === undefined || !acted ? [] : [next])].join('\n'),
  });
  if (bad.length === 0) return EXIT.ok;
  return bad.length === outcomes.length ? EXIT.failed : EXIT.incomplete;
}
