/** "Did you mean": the known word that is nearest to what was typed. */

/** More edits than this are another word. */
const MAX_EDITS = 3;

/** The nearest of `known`, or undefined if none is near: at most 3 edits and fewer than half of the word. */
export function similar(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits = MAX_EDITS + 1;
  for (const candidate of known) {
    const edits = distance(word, candidate, bestEdits);
    if (edits < bestEdits && edits * 2 < Math.max(word.length, candidate.length)) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** ` Did you mean "list"?`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const near = similar(word, known);
  return near === undefined ? undefined : `Did you mean ${near}?`;
}

/** Edits (insert, delete, replace, swap neighbours) from `a` to `b`; stops counting at `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, before[j - 2]! + 1);
      }
      next.push(edits);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
