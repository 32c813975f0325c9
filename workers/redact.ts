/** Keeps secrets out of the logs, whatever was handed to the logger. */

const REDACTED = '[redacted]';
const SECRET_KEY = /password|passphrase|secret|token|api[-_]?key|private[-_]?key|authorization|credential|cookie/i;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
const URL_LOGIN = /(:\/\/)[^\s/@:"]+:[^\s/@"]+@/g;
const AUTH_HEADER = /\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/g;

/** What a line must hold before it is worth taking apart. */
const SUSPECT = new RegExp(
  `"[^"]*(?:${SECRET_KEY.source})[^"]*":|PRIVATE KEY|://[^\\s/@]+:[^\\s/@]+@|Bearer |Basic `,
  'i',
);

/** A text without private keys, logins in URLs and authorization headers. */
export function redactText(text: string): string {
  return text
    .replace(PRIVATE_KEY, `${REDACTED} private key`)
    .replace(URL_LOGIN, `$1${REDACTED}@`)
    .replace(AUTH_HEADER, `$1 ${REDACTED}`);
}

/** A copy of a JSON value in which secret-named fields and secrets within texts are blotted out. */
export function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redactValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, SECRET_KEY.test(key) ? REDACTED : redactValue(inner)]),
  );
}

/** One finished line of a JSON log without its secrets. */
export function redactLine(line: string): string {
  if (!SUSPECT.test(line)) return line;
  try {
    return `${JSON.stringify(redactValue(JSON.parse(line)))}\n`;
  } catch {
    return redactText(line);
  }
}
