/** `npm run test:faults -- --rounds N --seed S [--kinds a,b]`: the campaign from the shell; exit 1 when anything was broken. */
import { parseArgs } from 'node:util';
import { campaign, type RoundReport } from './campaign';

function line({ round, run, fault, atMs, forMs, outcome, retries, asked, tookMs, broken }: RoundReport): string {
  const head = `${String(round).padStart(3)} ${run.padEnd(7)} ${fault} at ${(atMs / 1000).toFixed(1)} s for ${(forMs / 1000).toFixed(1)} s`;
  const tail = `${outcome}${retries > 0 ? `, ${retries} answers at the gate` : ''} (${(tookMs / 1000).toFixed(0)} s)`;
  return [
    `${head}: ${tail}`,
    ...asked.map((each) => `      asked ${each}`),
    ...broken.map((each) => `      BROKEN ${each}`),
  ].join('\n');
}

/** Fault by fault: how many rounds, how many of them completed, how many answers it took, how many broke something. */
function table(reports: readonly RoundReport[]): string {
  const rows = [...new Set(reports.map((each) => each.kind))].sort().map((kind) => {
    const of = reports.filter((each) => each.kind === kind);
    const completed = of.filter((each) => each.outcome === 'Completed').length;
    const retries = of.reduce((sum, each) => sum + each.retries, 0);
    const broken = of.filter((each) => each.broken.length > 0).length;
    return `| ${kind} | ${of.length} | ${completed} | ${retries} | ${broken} |`;
  });
  return ['| fault | rounds | completed | answers at the gate | broken |', '|---|---|---|---|---|', ...rows].join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '20' }, seed: { type: 'string' }, kinds: { type: 'string' } },
  });
  const rounds = Number(values.rounds);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed))
    throw new Error('--rounds and --seed are whole numbers');
  console.log(`${rounds} rounds, seed ${seed}`);
  const reports = await campaign({
    rounds,
    seed,
    kinds: values.kinds?.split(','),
    told: (report) => {
      console.log(line(report));
    },
  });
  const broken = reports.filter((each) => each.broken.length > 0);
  console.log(table(reports));
  const ended = (state: string): number => reports.filter((each) => each.outcome === state).length;
  console.log(
    `${reports.length} rounds (seed ${seed}): ${ended('Completed')} completed, ${broken.length} with something broken`,
  );
  return broken.length === 0 ? 0 : 1;
}

// What the clean-up waits for does not keep the process alive by itself.
setInterval(() => undefined, 60_000);
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
