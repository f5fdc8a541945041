/** Capacity after running out: a quarter more keeps copying amortised and little memory unused. */
export function grownCapacity(capacity: number): number {
  return capacity + Math.max(64, capacity >>> 2);
}

/** The numbers at the start of a longer array. */
export function widened(numbers: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(length);
  wider.set(numbers);
  return wider;
}
