import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import { COMPRESS_FROM_BYTES, compressed } from '../../workers/payloads';

async function roundTrip(value: unknown): Promise<{ sent: Payload; back: unknown }> {
  const [sent] = await compressed.encode([defaultPayloadConverter.toPayload(value)]);
  const [back] = await compressed.decode([sent!]);
  return { sent: sent!, back: defaultPayloadConverter.fromPayload(back!) };
}

function size(payload: Payload): number {
  return payload.data?.length ?? 0;
}

test('a long payload travels compressed, and comes out as it was', async () => {
  const hosts = Array.from({ length: 5000 }, (_, i) => ({ name: `app-${i}`, address: `10.0.0.${i}`, user: 'resurgo' }));
  const { sent, back } = await roundTrip(hosts);
  expect(back).toEqual(hosts);
  expect(size(sent)).toBeLessThan(size(defaultPayloadConverter.toPayload(hosts)) / 5);
});

test.each<[string, unknown]>([
  ['a short one', { step: 'copy app-1:data' }],
  ['one just below the limit', 'x'.repeat(COMPRESS_FROM_BYTES - 3)],
  ['bytes', new Uint8Array(COMPRESS_FROM_BYTES * 2)],
  ['nothing', undefined],
])('%s stays as it is, to be read in the UI', async (_, value) => {
  const { sent, back } = await roundTrip(value);
  expect(sent).toEqual(defaultPayloadConverter.toPayload(value));
  expect(back).toEqual(value);
});

test('a payload of an older program is read', async () => {
  const plain = defaultPayloadConverter.toPayload('x'.repeat(COMPRESS_FROM_BYTES * 2));
  expect(await compressed.decode([plain])).toEqual([plain]);
});
