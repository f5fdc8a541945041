/** A received body in the pieces in which it came; they must not change. */
export class ReceivedBody {
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  #whole: Uint8Array | undefined;

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
    this.sizeBytes = sizeOf(pieces);
  }

  /** The body in one piece, put together at the first question. */
  get whole(): Uint8Array {
    this.#whole ??= joined(this.pieces);
    return this.#whole;
  }

  /** Writes the body to `target` from `at` on. */
  copyTo(target: Uint8Array, at: number): void {
    let to = at;
    for (const piece of this.pieces) {
      target.set(piece, to);
      to += piece.length;
    }
  }
}

/** The pieces as one; no copy of a single one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return only;
  const bytes = new Uint8Array(sizeOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}
