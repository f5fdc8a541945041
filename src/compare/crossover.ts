/** A difference at one place of an axis; above 0 the second of two contestants is better. */
export interface Difference {
  /** Above 0; the axis is logarithmic. */
  readonly x: number;
  readonly by: number;
}

/** A stretch of the axis on which the second contestant is better. */
export interface BetterRange {
  /** Undefined when it begins before the first place that was looked at. */
  readonly from: number | undefined;
  /** Undefined when it goes on after the last one. */
  readonly to: number | undefined;
}

/** Stretches with a difference above 0; their ends are interpolated, linear in the logarithm of x. */
export function betterRanges(differences: readonly Difference[]): readonly BetterRange[] {
  const ranges: BetterRange[] = [];
  let from: number | undefined;
  let isOpen = false;
  for (const [index, here] of differences.entries()) {
    const before = differences[index - 1];
    if (here.by > 0 && !isOpen) {
      isOpen = true;
      from = before === undefined ? undefined : crossing(before, here);
    } else if (here.by <= 0 && isOpen && before !== undefined) {
      isOpen = false;
      ranges.push({ from, to: crossing(before, here) });
    }
  }
  if (isOpen) ranges.push({ from, to: undefined });
  return ranges;
}

/** `from 1,400 tokens`, `up to 700 tokens`, `everywhere`, `nowhere`. */
export function describeRanges(ranges: readonly BetterRange[], unit: string): string {
  if (ranges.length === 0) return "nowhere";
  return ranges
    .map(({ from, to }) => {
      if (from === undefined) return to === undefined ? "everywhere" : `up to ${count(to)} ${unit}`;
      if (to === undefined) return `from ${count(from)} ${unit}`;
      return `from ${count(from)} to ${count(to)} ${unit}`;
    })
    .join(", ");
}

/** A number of tokens as precise as an interpolation is: two figures. */
export function count(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString("en-US");
}

/** Where the difference is 0 between two places; half way where one of them is a tie. */
function crossing(one: Difference, other: Difference): number {
  const isTie = one.by === 0 || other.by === 0;
  const share = isTie ? 0.5 : one.by / (one.by - other.by);
  const [low, high] = [Math.log(one.x), Math.log(other.x)];
  return Math.exp(low + share * (high - low));
}
