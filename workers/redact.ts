/** Keeps secrets out of the logs, whatever was handed to the logger. */
import { REDACTED, redactText } from '../planning/redact-text';

const SECRET_KEY = /password|passphrase|secret|token|api[-_]?key|private[-_]?key|authorization|credential|cookie/i;

/** What a line must hold before it is worth taking apart. */
const SUSPECT = new RegExp(
  `"[^"]*(?:${SECRET_KEY.source})[^"]*":|PRIVATE KEY|://[^\\s/@]+:[^\\s/@]+@|Bearer |Basic `,
  'i',
);

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
