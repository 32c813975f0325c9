/** The hostkit's request: lines of ASCII, values percent-encoded (docs/hostkit.md). */

/** The request's upper bounds; the hostkit refuses more. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
export const MAX_LINE_BYTES = 256 * 1024;

export interface Request {
  verb: string;
  /** Keys as on the wire (snake_case), values decoded. */
  args: Record<string, string>;
}

/** Percent-encodes the UTF-8 bytes of a value: all outside `A-Za-z0-9._/@:=,+-`. */
export function encodeValue(value: string): string {
  // A manifest of a thousand hosts is base64, long, and needs nothing done.
  if (/^[A-Za-z0-9._/@:=,+-]*$/.test(value)) return value;
  let encoded = '';
  for (const byte of Buffer.from(value, 'utf8')) {
    const char = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9._/@:=,+-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Reverses `encodeValue`; throws a RangeError on anything that it would not have written. */
export function decodeValue(encoded: string): string {
  if (!/^(?:[A-Za-z0-9._/@:=,+-]|%[0-9A-F]{2})*$/.test(encoded)) throw new RangeError('not a percent-encoded value');
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at += 1) {
    if (encoded[at] === '%') {
      bytes.push(Number.parseInt(encoded.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(encoded.charCodeAt(at));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** camelCase → snake_case, the form of the keys on the wire. */
export function wireKey(key: string): string {
  return key.replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
}

/**
 * Writes one request. `undefined` is left out, booleans become `0` or `1`.
 * @throws RangeError when it is too long, a value is no text, integer or boolean, or a key or verb has other characters than letters, `_` and `.`
 */
export function encodeRequest({ verb, args }: { verb: string; args: object }): string {
  if (!/^[a-z]+(?:\.[a-z]+)*$/.test(verb)) throw new RangeError(`not a verb: ${verb}`);
  const lines = [`resurgo 1 ${verb}`];
  for (const [key, value] of new Map<string, unknown>(Object.entries(args))) {
    if (value === undefined) continue;
    const wire = wireKey(key);
    if (!/^[a-z][a-z0-9_]*$/.test(wire)) throw new RangeError(`not a key: ${key}`);
    const line = `${wire} ${encodeValue(textOf(key, value))}`;
    if (line.length > MAX_LINE_BYTES) throw new RangeError(`${key} is longer than the hostkit takes (256 KiB)`);
    lines.push(line);
  }
  const text = `${lines.join('\n')}\n.\n`;
  if (text.length > MAX_REQUEST_BYTES) throw new RangeError('the request is longer than the hostkit takes (1 MiB)');
  return text;
}

function textOf(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw new RangeError(`${key} must be a text, an integer or a boolean`);
}

/** Reads one request, as strictly as the hostkit does; throws a RangeError. */
export function decodeRequest(text: string): Request {
  const lines = text.split('\n');
  const head = /^resurgo 1 ([a-z]+(?:\.[a-z]+)*)$/.exec(lines[0] ?? '');
  const end = lines.indexOf('.');
  if (head?.[1] === undefined || end < 1) throw new RangeError('not a request');
  const args: Record<string, string> = {};
  for (const line of lines.slice(1, end)) {
    const pair = /^([a-z][a-z0-9_]*) (.*)$/.exec(line);
    if (pair?.[1] === undefined || pair[2] === undefined || pair[1] in args) throw new RangeError('bad line');
    args[pair[1]] = decodeValue(pair[2]);
  }
  return { verb: head[1], args };
}
