/** A step that names a file of any name reaches the hosts, and no other step is taken for it. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { decodeRequest } from '../../hosts/request';
import { writeRequest } from '../../hosts/write-request';

const TYPES = path.join(__dirname, '../../hostkit/lib/types.sh');

/** The step as it stands in the request, decoded as the host does. */
function sent(step: string): string {
  const args = { group: 'portal', run: 'run-00000001', term: 1, step, attempt: 1, path: '/var/Rück' };
  const request = decodeRequest(writeRequest({ host: { name: 'app-1', address: '' }, verb: 'restore.check', args }));
  expect(request.args.path).toBe('/var/Rück');
  return request.args.step ?? '';
}

const taken = (step: string): boolean =>
  spawnSync('sh', ['-c', '. "$0" && check_type step "$1"', TYPES, step], { env: { ...process.env, LC_ALL: 'C' } })
    .status === 0;

const steps = [
  'freeze',
  'check app-1:data/odd/Räksmörgås och öl/å.txt from app-1@+srv',
  'check app-1:/var/Rück from app-1@+srv',
  'check app-1:data/日本語/😀 from app-1@+srv',
  'check app-1:data/100%25 from app-1@+srv',
  ' spaces ',
  `check app-1:${'ä'.repeat(2000)} from app-1@+srv`,
  `check app-1:${'long/'.repeat(800)} from app-1@+srv`,
];

test.each(steps)('S3 the hostkit takes the step of a file of any name: %#', (step) => {
  const wire = sent(step);
  expect(taken(wire)).toBe(true);
  expect(sent(step)).toBe(wire);
});

test('S3 a step of plain words stays as it is, so that a newer program goes on with a run of an older one', () => {
  const plain = 'copy app-1:data/a b~{c}, try 2';
  expect(sent(plain)).toBe(plain);
});

test('S3 two steps never look alike to a host', () => {
  const end = 'x'.repeat(3000);
  const alike = [
    ...steps,
    'a%C3%A4',
    'aä',
    'a%25C3%25A4',
    `${end}a`,
    `${end}b`,
    `${end}ä`,
    // What a cut step looks like is no other step's name.
    sent(`${end}a`),
    'spaces',
    '%20spaces%20',
  ];
  expect(new Set(alike.map(sent)).size).toBe(alike.length);
});
