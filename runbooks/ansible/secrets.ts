/** Keeps secrets of an inventory out of the report: the name of the variable is shown and its line, never the value. */
import { withoutLogins } from '../issues';

/** Parts of names whose value is a secret. `ansible_ssh_private_key_file` is a path and none. */
const SECRET_NAME = /pass|pwd|token|secret|vault|cred|auth|key(?![a-z0-9_-]*(?:file|path))/;
const SECRET_VALUE = new RegExp(`((?:^|[\\s{,"'])[\\w.-]*(?:${SECRET_NAME.source})[\\w.-]*["']?\\s*[=:]).*`, 'is');
const SSH_PASSWORD = /(\bsshpass\s+-p\s*)\S+/g;

/** A line, cut off behind the first name that looks like a secret's: where its value ends is not sure on a faulty line. */
export function withoutSecrets(text: string): string {
  return withoutLogins(text.replace(SECRET_VALUE, '$1[redacted]').replace(SSH_PASSWORD, '$1[redacted]'));
}
