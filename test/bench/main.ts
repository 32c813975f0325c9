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
  copy: benchCopy,
  overhead: benchOverhead,
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
  for (const [name, bench] of chosen) {
    figures[name] = await bench({
      rounds,
      against,
      size,
      say: (text) => {
        console.error(text);
      },
    });
  }
  const load = loadavg().map((each) => Number(each.toFixed(1)));
  const whole = {
    began: began.toISOString(),
    seconds: (Date.now() - began.getTime()) / 1000,
    size,
    rounds,
    against,
    machine,
    load,
    figures,
  };
  writeFileSync(`${values.out}.json`, `${JSON.stringify(whole, null, 2)}\n`);
  const table = markdown(Object.values(figures));
  writeFileSync(`${values.out}.md`, `${table}\n`);
  console.log(table);
  console.error(`${whole.seconds.toFixed(0)} s; written: ${values.out}.json, ${values.out}.md`);
  return 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
