import type { IncomingMessage } from "node:http";

/** Bounds of the bodies held at a time. */
export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** Of all bodies together. */
  readonly maxTotalBytes: number;
}

/** What became of a request's body. */
export type ReadBody =
  /** `release` once the body is no longer needed. */
  | { readonly kind: "body"; readonly bytes: Buffer; release(): void }
  | { readonly kind: "too-large" }
  /** Too many bytes are held already. */
  | { readonly kind: "overloaded" }
  /** The client left. */
  | { readonly kind: "gone" };

/** Reads request bodies whole, never more than the limits allow. */
export class BodyReader {
  readonly #limits: BodyLimits;
  #heldBytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  read(request: IncomingMessage): Promise<ReadBody> {
    const { maxBodyBytes, maxTotalBytes } = this.#limits;
    const { promise, resolve } = Promise.withResolvers<ReadBody>();
    if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) {
      resolve({ kind: "too-large" });
      return promise;
    }
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const release = (): void => {
      this.#heldBytes -= sizeBytes;
      sizeBytes = 0;
    };
    // A refused body flows on unseen; whatever settles after the first has no effect.
    const refuse = (kind: "too-large" | "overloaded" | "gone"): void => {
      release();
      chunks.length = 0;
      request.off("data", take);
      resolve({ kind });
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      this.#heldBytes += chunk.length;
      if (sizeBytes > maxBodyBytes) refuse("too-large");
      else if (this.#heldBytes > maxTotalBytes) refuse("overloaded");
    };
    request.on("data", take);
    request.once("end", () => resolve({ kind: "body", bytes: Buffer.concat(chunks), release }));
    request.once("close", () => {
      if (!request.complete) refuse("gone");
    });
    return promise;
  }
}
