/**
 * A step's name as the hostkit takes it (lib/types.sh: at most 640 bytes of printable ASCII, no space at either end). A step names what it
 * is about, so it may hold any file's name. Hosts tell attempts of one step apart from other steps by it (S3): the same step is always
 * written alike, and two steps never are.
 */
import { sha256Hex } from '../planning/sha256';

const MOST_BYTES = 640;
/** Stands in no escaped text, where two digits follow each `%`: what was cut looks like nothing that was not. */
const CUT = '%~';

export function wireStep(step: string): string {
  // `%` too, or an escape would look like a step that is so called.
  const escaped = step.replace(/^ | $|[^ -$&-~]+/g, (part) =>
    [...Buffer.from(part, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  if (escaped.length <= MOST_BYTES) return escaped;
  const mark = `${CUT}${sha256Hex(step)}`;
  return `${escaped.slice(0, MOST_BYTES - mark.length)}${mark}`;
}
