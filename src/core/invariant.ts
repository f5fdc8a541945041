/** Thrown when the program itself is wrong; never for bad input or a failing engine. */
export class InvariantError extends Error {
  override readonly name: string = "InvariantError";
}

/** Stops on a programmer's error. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
