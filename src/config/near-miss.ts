/** `; did you mean X?` for the closest of the candidates, or nothing when none is close. */
export function nearMiss(word: string, candidates: readonly string[]): string {
  let closest = "";
  // A third of the letters wrong is another word.
  let leastDistance = Math.floor(Math.min(word.length, MAX_COMPARED_LENGTH) / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.slice(0, MAX_COMPARED_LENGTH), candidate);
    if (distance >= leastDistance) continue;
    leastDistance = distance;
    closest = candidate;
  }
  return closest === "" ? "" : `; did you mean ${closest}?`;
}

/** Plugin types are shorter; the bound keeps the comparison of absurd input cheap. */
const MAX_COMPARED_LENGTH = 64;

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [fromIndex, letter] of [...from].entries()) {
    const next = [fromIndex + 1];
    for (let index = 1; index <= to.length; index++) {
      next.push(
        Math.min(
          (row[index] ?? 0) + 1,
          (next[index - 1] ?? 0) + 1,
          (row[index - 1] ?? 0) + (to[index - 1] === letter ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
