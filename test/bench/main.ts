/** `npm run bench:fleet -- [--only pause,copy,…] [--rounds N] [--size full|small] [--against 'rsync -a,…'] [--out FILE]`: the figures of docs/bench.md. */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchCopy } from './copy';
import { benchOverhead } from './overhead';
import { benchPause } from './pause';
import { benchResend } from './resend';
import { benchScale } from './scale';
import { RIVALS } from './support/rivals';
import { type BenchOptions, type Figure, markdown } from './support/figures';

type Bench = (options: BenchOptions) => Promise<Figure>;
/** In this order; each raises its own fleet and takes it down. */
const BENCHES: Record<string, Bench> = {
  pause: benchPause,
  overhead: benchOverhead,
  copy: benchCopy,
  resend: benchResend,
  scale: benchScale,
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(BENCHES).join(',') },
      rounds: { type: 'string', default: '3' },
      size: { type: 'string', default: 'full' },
      against: { type: 'string', default: RIVALS.join(',') },
      out: { type: 'string', default: 'bench-fleet' },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1');
  const { size } = values;
  if (size !== 'full' && size !== 'small') throw new Error('--size is full or small');
  const against = values.against.split(',');
  const chosen = values.only.split(',').map((name): [string, Bench] => {
    const bench = BENCHES[name];
    if (bench === undefined) throw new Error(`--only knows ${Object.keys(BENCHES).join(', ')}, not ${name}`);
    return [name, bench];
  });
  const began = new Date();
  const machine = { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', memoryGib: Math.round(totalmem() / 2 ** 30) };
  const figures: Record<string, Figure> = {};
  const failed: string[] = [];
  for (const [name, bench] of chosen) {
    try {
      figures[name] = await bench({
        rounds,
        against,
        size,
        say: (text) => {
          console.error(text);
        },
      });
    } catch (error) {
      console.error(error);
      failed.push(name);
    }
    // After each, so that what was measured is kept whatever becomes of the rest.
    const load = loadavg().map((each) => Number(each.toFixed(1)));
    const seconds = Math.round((Date.now() - began.getTime()) / 1000);
    const whole = { began: began.toISOString(), seconds, size, rounds, against, machine, load, failed, figures };
    writeFileSync(`${values.out}.json`, `${JSON.stringify(whole, null, 2)}\n`);
    writeFileSync(`${values.out}.md`, `${markdown(Object.values(figures))}\n`);
    console.error(`${name}: ${seconds} s since the beginning, load ${load.join(' ')}`);
  }
  console.log(markdown(Object.values(figures)));
  for (const name of failed) console.error(`${name} failed`);
  return failed.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
