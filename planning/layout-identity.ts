/** What disks say of themselves by the kernel's word, which is the same in the rescue system as on the host: udev's is not. */
import { countOf, type Reading } from './layout-facts';

export interface KernelWord {
  bytes: number;
  serial: string | null;
  wwn: string | null;
  /** Of one that says nothing of itself: what tells it from all others until its machine is booted anew. Null where the kernel has no such number. */
  thisBoot: string | null;
}

/** By kernel name; undefined where the host's hostkit is of before this was asked, or could not tell. */
export function kernelWords(reading: Reading): ReadonlyMap<string, KernelWord> | undefined {
  if (reading.problem('disks') !== undefined) return undefined;
  const words = reading.lines('disks').flatMap((line): [string, KernelWord][] => {
    const [name = '', size, serial, wwn, thisBoot] = line.split(' ');
    const bytes = countOf(size);
    return bytes === undefined
      ? []
      : [[name, { bytes, serial: word(serial), wwn: word(wwn), thisBoot: word(thisBoot) }]];
  });
  return new Map(words);
}

/** Percent-encoded, `-` for none. What is malformed says nothing. */
function word(encoded: string | undefined): string | null {
  if (encoded === undefined || encoded === '-') return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}
