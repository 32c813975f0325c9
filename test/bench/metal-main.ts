/** `npm run bench:metal -- [--only rescue-image,rear-image,…] [--rounds N] [--work FOLDER] [--out FILE]`: bare metal beside ReaR, docs/bench.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { metalFigures } from './metal/figures';
import { measureFloor } from './metal/floor';
import { measureOurs } from './metal/ours';
import { measureRear } from './metal/rear';
import { isPart, type Part, PARTS, Round, type Task } from './metal/results';
import { sourceDisk, sourceId } from './metal/source';
import { markdown } from './support/figures';

/** What is measured together: one machine at a time, and what a side's later part needs its earlier one has made. */
const SIDES: { parts: readonly Part[]; measure: (task: Task) => Promise<void> }[] = [
  { parts: ['rescue-image', 'recovery'], measure: measureOurs },
  { parts: ['rear-image', 'rear-recovery'], measure: measureRear },
  { parts: ['floor'], measure: measureFloor },
];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      work: { type: 'string', default: '/var/tmp/resurgo-bench-metal' },
      out: { type: 'string', default: 'bench-metal' },
    },
  });
  const count = Number(values.rounds);
  if (!Number.isInteger(count) || count < 1) throw new Error('--rounds is a whole number from 1');
  const asked = values.only?.split(',').map((name): Part => {
    if (!isPart(name)) throw new Error(`--only knows ${PARTS.join(', ')}, not ${name}`);
    return name;
  });
  const { work } = values;
  const say = (text: string) => {
    console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
  };
  mkdirSync(work, { recursive: true });
  const id = await sourceId();
  const source = await sourceDisk({ work, id });
  say(`source disk ${source}`);
  const rounds = Array.from({ length: count }, (_, i) => new Round(i + 1, { work, source: id }));
  const began = new Date();
  const failed: string[] = [];
  for (const round of rounds) {
    // Every second round the other way round: who comes later finds this computer as the earlier ones left it.
    for (const { parts, measure } of round.number % 2 === 0 ? SIDES.toReversed() : SIDES) {
      const wanted = parts.filter((part) => asked?.includes(part) ?? !round.has(part));
      if (wanted.length === 0) continue;
      try {
        await measure({ wanted, round, source, say });
      } catch (error) {
        console.error(error);
        failed.push(`round ${round.number}: ${wanted.join(', ')}`);
      }
      // After each, so that what was measured is kept whatever becomes of the rest.
      write({ rounds, out: values.out, began, failed });
    }
  }
  console.log(markdown(metalFigures(rounds)));
  for (const each of failed) console.error(`${each} failed`);
  return failed.length === 0 ? 0 : 1;
}

function write({ rounds, out, began, failed }: { rounds: Round[]; out: string; began: Date; failed: string[] }): void {
  const machine = { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', memoryGib: Math.round(totalmem() / 2 ** 30) };
  const load = loadavg().map((each) => Number(each.toFixed(1)));
  const measured = rounds.map((round) => ({
    round: round.number,
    parts: PARTS.filter((part) => round.has(part)).map((part) => ({
      part,
      measuredAt: round.measuredAt(part),
      result: round.read(part),
    })),
  }));
  const figures = metalFigures(rounds);
  const whole = { began: began.toISOString(), machine, load, failed, figures, measured };
  writeFileSync(`${out}.json`, `${JSON.stringify(whole, null, 2)}\n`);
  writeFileSync(`${out}.md`, `${markdown(figures)}\n`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
