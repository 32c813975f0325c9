import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { bench, FENCE, host, run } from './support/run';

const AT = {
  fence: { ...FENCE, group: 'portal.rescue' },
  host: host('app-1'),
  store: { name: 'main', host: host('target') },
  id: '20261121_013000',
};
const SCOPE = { scope: 'rescue', store: 'main', host: 'app-1', id: '20261121_013000' };
const transfer = { bandwidthBytesPerS: 0, io: 'low' as const };

function heard(over: (call: FakeCall) => Record<string, unknown> | undefined = () => undefined) {
  const calls: FakeCall[] = [];
  const intercept = (call: FakeCall) => {
    calls.push(call);
    return over(call);
  };
  return { ...bench({ intercept }), calls, of: (verb: string) => calls.filter((each) => each.verb === verb) };
}

test('media are pushed by a grant for their one folder, opened before and closed after', async () => {
  const at = heard();
  await run(at, at.activities.sendRescue, { ...AT, transfer: { ...transfer, direction: 'push' as const } });
  expect(at.of('rescue.open')).toMatchObject([{ host: 'target', args: { store: 'main', host: 'app-1', id: AT.id } }]);
  expect(at.of('grant.add')).toMatchObject([{ host: 'target', args: { ...SCOPE, purpose: 'receive', peer: 'app-1' } }]);
  expect(at.of('job.start')).toMatchObject([{ host: 'app-1', args: { kind: 'rescue-send', dial: 'out' } }]);
  expect(at.of('grant.close')).toHaveLength(1);
});

test('from a host behind a firewall the target fetches them', async () => {
  const at = heard();
  await run(at, at.activities.sendRescue, { ...AT, transfer: { ...transfer, direction: 'pull' as const } });
  expect(at.of('grant.add')).toMatchObject([{ host: 'app-1', args: { ...SCOPE, purpose: 'send', peer: 'target' } }]);
  expect(at.of('job.start')).toMatchObject([
    { host: 'target', args: { kind: 'dial', ...SCOPE, peer: 'app-1', lanes: 1 } },
    { host: 'app-1', args: { kind: 'rescue-send', dial: 'in' } },
  ]);
});

test('media that are in the list already are not sent again: only the answer was lost', async () => {
  const at = heard(({ verb, host: name }) => {
    if (verb === 'rescue.open')
      throw new HostError({ host: name, verb, code: 'exists', message: 'it is there', retryable: false });
    return undefined;
  });
  const sent = await run(at, at.activities.sendRescue, {
    ...AT,
    transfer: { ...transfer, direction: 'push' as const },
  });
  expect([sent, at.of('job.start'), at.of('grant.add')]).toEqual([{ sentBytes: 0 }, [], []]);
});
