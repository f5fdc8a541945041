/** A request to the API server that failed, or an answer that cannot be right. */
export class KubeFault extends Error {
  override readonly name: string = "KubeFault";
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;
  /** What was known of the objects is no base to go on from: they are listed anew. */
  readonly isResync: boolean;

  constructor(
    message: string,
    options: {
      status?: number | undefined;
      retryAfterMs?: number | undefined;
      isResync?: boolean;
    } = {},
  ) {
    super(message);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    // 410 Gone: the version is older than what the server remembers.
    this.isResync = options.isResync ?? options.status === 410;
  }
}

const SHOWN_CHARACTERS_MAX = 200;

/** A text of the cluster as a log may hold it: one line, without control characters, not long. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return line.length > SHOWN_CHARACTERS_MAX ? `${line.slice(0, SHOWN_CHARACTERS_MAX)}…` : line;
}
