/** The command was called in a way that cannot work: one line says what and what to do. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
