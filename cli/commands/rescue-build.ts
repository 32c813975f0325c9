/** `resurgo rescue build`: starts the workflow, shows it, and says with the exit code what came of it. */
import { Option, type Command } from '@commander-js/extra-typings';
import { counted } from '../../planning/counted';
import type { RescueInput } from '../../planning/run-input';
import { RESCUE_MODULES, RESCUE_NETWORKS, RESCUE_OUTPUTS, type RescuePolicy } from '../../runbooks/types';
import { packageVersion } from '../../workers/bundle';
import type { RescueOutcome, RescueReport } from '../../workflows/rescue';
import { operator, run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followToEnd } from '../follow';
import { bytes, table } from '../output';
import { groupOfHosts } from '../rescue-media';
import { firmwareNote } from './rescue-list';
import { startRun } from '../start-run';

/** One run's hosts: each has some twenty events, and a history has its bound. */
const MOST = 100;

interface Options {
  all?: true;
  group?: string;
  modules?: RescuePolicy['modules'];
  network?: RescuePolicy['network'];
  output?: RescuePolicy['outputs'];
  keep?: number;
  pinnedKey?: boolean;
  bootCheck?: boolean;
  detach?: true;
}

export function registerRescueBuild(rescue: Command): void {
  rescue
    .command('build')
    .argument('[hosts...]', 'hosts of the runbook')
    .option('--all', 'every host that the group has a source on')
    .option('--group <group>', 'the protection group whose store keeps them')
    .addOption(new Option('--modules <choice>', 'which kernel modules go in').choices(RESCUE_MODULES))
    .addOption(new Option('--network <choice>', 'as captured on the host, or by DHCP').choices(RESCUE_NETWORKS))
    .option('--output <kinds>', `kinds of media, with commas between: ${RESCUE_OUTPUTS.join(', ')}`, outputsOf)
    .option('--keep <number>', 'how many builds of each host stay', wholeNumber)
    .option('--pinned-key', 'put the ssh host key of the rescue system into the image, which is then a secret')
    .option('--no-pinned-key', 'have it make one at each boot')
    .option('--boot-check', 'start them once in a virtual machine; where that fails the exit code is 3')
    .option('--no-boot-check', 'do not start them, though QEMU is installed here')
    .option('--detach', 'start the run and leave')
    .description('make media that boot a host whose disks are gone, of its own kernel and tools')
    .addHelpText(
      'after',
      "\nWhat is not said here is the runbook's (`rescue` of the group). No backup waits for it. Where QEMU is installed on the\ndirector, the media are started once and logged into.\n\nExample:\n  $ resurgo rescue build web-1\n  $ resurgo rescue build --all --group portal",
    )
    .action((hosts, options, command) => inContext(command, (context) => build(context, hosts, options)));
}

async function build(context: CliContext, asked: readonly string[], options: Options): Promise<number> {
  const { out } = context;
  if (options.all === true ? asked.length > 0 : asked.length === 0)
    throw new CliError('name the hosts, or give --all', EXIT.usage);
  const { runbook } = context.runbook();
  const group = options.all === true ? options.group : groupOfHosts({ runbook, names: asked, group: options.group });
  const { setup } = await context.group(group);
  const { name, sources } = setup.group;
  const wanted = new Set(options.all === true ? sources.map(({ host }) => host) : asked);
  const hosts = setup.hosts.filter((host) => wanted.has(host.name));
  if (hosts.length > MOST)
    throw new CliError(`${counted(hosts.length, 'host')} are too many for one run: name ${MOST} at most`, EXIT.usage);
  const { handle, comeBack } = await startRun<RescueInput>(context, {
    kind: 'rescue',
    group: name,
    what: `rescue media of ${hosts.map((host) => host.name).join(', ')}`,
    summary: `rescue media of ${counted(hosts.length, 'host')} of ${name}, into ${setup.store.name}`,
    input: (run) => ({
      ...{ ...setup, hosts, stopWaves: [] },
      ...{ run, requestedBy: operator(), version: packageVersion() },
      options: { policy: policyOf(setup.group.rescue, options), bootCheck: bootCheckOf(options) },
    }),
  });
  if (options.detach === true) {
    out.say(`come back with: ${comeBack}`);
    return EXIT.ok;
  }
  const show = (report: unknown) => showRescueReport(context, report as RescueReport);
  return followToEnd({ handle, out, comeBack, leaveWaiting: true, show });
}

function policyOf(written: RescuePolicy, options: Options): RescuePolicy {
  return {
    modules: options.modules ?? written.modules,
    network: options.network ?? written.network,
    outputs: options.output ?? written.outputs,
    keep: options.keep ?? written.keep,
    pinnedKey: options.pinnedKey ?? written.pinnedKey,
  };
}

function bootCheckOf({ bootCheck }: Options): RescueInput['options']['bootCheck'] {
  return bootCheck === undefined ? 'auto' : bootCheck ? 'always' : 'never';
}

function outputsOf(text: string): RescuePolicy['outputs'] {
  const words = text.split(',').map((each) => each.trim());
  const known = RESCUE_OUTPUTS.filter((each) => words.includes(each));
  const strange = words.find((word) => !known.some((each) => each === word));
  if (strange === undefined) return known;
  throw new CliError(`"${strange}" is no kind of rescue medium: ${RESCUE_OUTPUTS.join(', ')}`, EXIT.usage);
}

function wholeNumber(text: string): number {
  if (/^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= 100) return Number(text);
  throw new CliError('--keep takes a whole number from 1 to 100', EXIT.usage);
}

/** A report in words; a partial one is never exit 0. */
export function showRescueReport({ out }: CliContext, report: RescueReport): number {
  const { state, media, warnings } = report;
  const secret = media.some((each) => each.state === 'ok' && each.pinned);
  const removed = media.flatMap((each) => (each.state === 'ok' ? each.removed.map((id) => `${each.host} ${id}`) : []));
  out.result({
    json: { type: 'ended', state, media: media.map((each) => ({ ...each })), warnings },
    text: [
      `${state}: rescue media of ${media.filter((each) => each.state === 'ok').length} of ${counted(media.length, 'host')}`,
      table(media.map(row)),
      ...(removed.length === 0 ? [] : [`removed as older: ${removed.join(', ')}`]),
      ...(secret ? ['Images with a pinned host key are secrets: who has one can pose as the rescue system.'] : []),
      ...warnings.map((each) => `warning: ${each}`),
    ].join('\n'),
  });
  return state === 'Completed' ? EXIT.ok : EXIT.incomplete;
}

function row(media: RescueOutcome): string[] {
  if (media.state === 'missing') return [media.host, 'MISSING', '', media.reason];
  const { host, verdict, id } = media;
  return [host, verdict, `${id}, ${bytes(media.bytes)}`, firmwareNote(media) ?? ''];
}
