/** Keeps secrets out of texts that people and logs get to see. */

/** What stands for a secret. */
export const REDACTED = '[redacted]';
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
const URL_LOGIN = /(:\/\/)[^\s/@:"]+:[^\s/@"]+@/g;
const AUTH_HEADER = /\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/g;

/** A text without private keys, logins in URLs and authorization headers. */
export function redactText(text: string): string {
  return text
    .replace(PRIVATE_KEY, `${REDACTED} private key`)
    .replace(URL_LOGIN, `$1${REDACTED}@`)
    .replace(AUTH_HEADER, `$1 ${REDACTED}`);
}
