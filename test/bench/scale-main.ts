/** `npm run bench:scale -- [--sizes 10,100,1000] [--rounds 3] [--parallel 32]`: one JSON object on stdout, progress on stderr. */
import { parseArgs } from 'node:util';
import { benchScale } from './scale';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10,100,1000' },
    rounds: { type: 'string', default: '3' },
    parallel: { type: 'string', default: '32' },
  },
});

// What the clean-up waits for does not keep the process alive by itself.
setInterval(() => undefined, 60_000);
benchScale({
  sizes: values.sizes.split(',').map(Number),
  rounds: Number(values.rounds),
  parallel: Number(values.parallel),
  tell: (line) => {
    console.error(line);
  },
}).then(
  (report) => {
    console.log(JSON.stringify(report, null, 2));
    process.exit(0);
  },
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
