/**
 * Large payloads travel compressed. Temporal takes 2 MB in one and 4 MB in one message; the input, the checks and the manifest of a
 * thousand hosts come near that. What is short stays as it is, so that it can be read in the UI.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { METADATA_ENCODING_KEY } from '@temporalio/common';

/** Payloads from this size on are compressed, bytes. */
export const COMPRESS_FROM_BYTES = 128 * 1024;

const JSON_PLAIN = 'json/plain';
const JSON_GZIP = 'json/plain+gzip';

/** Compresses long JSON, and reads both. */
export const compressed: PayloadCodec = {
  encode: (payloads) => Promise.all(payloads.map(encode)),
  decode: (payloads) => Promise.all(payloads.map(decode)),
};

/** What clients and workers must share. */
export const dataConverter: DataConverter = { payloadCodecs: [compressed] };

async function encode(payload: Payload): Promise<Payload> {
  const { data } = payload;
  if (encodingOf(payload) !== JSON_PLAIN || !data || data.length < COMPRESS_FROM_BYTES) return payload;
  return recoded(payload, { encoding: JSON_GZIP, data: await promisify(gzip)(data) });
}

async function decode(payload: Payload): Promise<Payload> {
  const { data } = payload;
  if (encodingOf(payload) !== JSON_GZIP || !data) return payload;
  return recoded(payload, { encoding: JSON_PLAIN, data: await promisify(gunzip)(data) });
}

function recoded({ metadata }: Payload, { encoding, data }: { encoding: string; data: Uint8Array }): Payload {
  return { metadata: { ...metadata, [METADATA_ENCODING_KEY]: Buffer.from(encoding) }, data };
}

function encodingOf({ metadata }: Payload): string {
  return Buffer.from(metadata?.[METADATA_ENCODING_KEY] ?? []).toString();
}
