/** `npm run bench:scale -- [--sizes 10,100,1000] [--rounds 3]`: one JSON object on stdout, progress on stderr. */
import { parseArgs } from 'node:util';
import { measureScale } from './scale';

const { values } = parseArgs({
  options: { sizes: { type: 'string', default: '10,100,1000' }, rounds: { type: 'string', default: '3' } },
});

measureScale({
  sizes: values.sizes.split(',').map(Number),
  rounds: Number(values.rounds),
  say: (text) => {
    console.error(text);
  },
}).then(
  (scales) => {
    console.log(JSON.stringify({ bench: 'scale', scales }, null, 2));
    process.exit(0);
  },
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
