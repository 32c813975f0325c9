/** The nearest known word for one that was not understood. */

/**
 * The known word that is closest to `word`: within about a third of its length in slips of a finger (a letter more, less, other,
 * or two swapped), or one that begins with it. Case and `-` for `_` don't count. Nothing when none is near.
 */
export function nearest({ word, known }: { word: string; known: readonly string[] }): string | undefined {
  const plain = fold(word);
  const limit = Math.max(1, Math.floor(plain.length / 3));
  const ranked = known
    .map((candidate) => ({ candidate, distance: slips({ from: plain, to: fold(candidate) }) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  if (best && best.distance <= limit) return best.candidate;
  return plain.length >= 3 ? known.find((candidate) => fold(candidate).startsWith(plain)) : undefined;
}

/** Damerau–Levenshtein distance (optimal string alignment) between the first 64 characters of two words. */
export function slips({ from, to }: { from: string; to: string }): number {
  const a = from.slice(0, 64);
  const b = to.slice(0, 64);
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(before, j - 2) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll('-', '_');
}
