import type { IncomingMessage } from "node:http";
import type { Rejection } from "../../core/rejection.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Connection, RefusableBody } from "./connection.ts";

/** What became of a body. `takenBytes` of the budget are the caller's to give back, and only when collected. */
export type CollectedBody =
  | { readonly kind: "collected"; readonly bytes: Uint8Array; readonly takenBytes: number }
  | { readonly kind: "rejected"; readonly rejection: Rejection }
  | { readonly kind: "client-left" };

/** What collecting needs beside the request. */
export interface CollectOptions {
  readonly bodyBytesMax: number;
  readonly budget: BodyBudget;
  readonly connection: Connection;
  /** Called when there is room, before the first byte is read: the moment for `100 Continue`. */
  readonly onRoom: () => void;
}

/** A body of unknown length asks the budget for this many bytes at a time. */
const CHUNKED_STEP_BYTES = 256 * 1024;

/** Why a request is refused for its body's headers alone; undefined when it may be read. */
export function bodyHeadersFault(
  request: IncomingMessage,
  bodyBytesMax: number,
): Rejection | undefined {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return {
      reason: "unsupported-encoding",
      message: "compressed bodies are not supported: send the body without Content-Encoding",
    };
  }
  const declared = declaredBytes(request);
  return declared !== undefined && declared > bodyBytesMax ? tooLarge(bodyBytesMax) : undefined;
}

/** Reads the whole body within its limit and the budget of all bodies. */
export function collectBody(
  request: IncomingMessage,
  options: CollectOptions,
): Promise<CollectedBody> {
  const { bodyBytesMax, budget, onRoom } = options;
  const takenBytes = declaredBytes(request) ?? Math.min(CHUNKED_STEP_BYTES, bodyBytesMax);
  const begin = (isGranted: boolean): CollectedBody | Promise<CollectedBody> => {
    if (!isGranted) return { kind: "rejected", rejection: OVERLOADED };
    if (request.destroyed) {
      budget.give(takenBytes);
      return { kind: "client-left" };
    }
    onRoom();
    return new BodyReader(request, options, takenBytes).read();
  };
  const room = budget.take(takenBytes);
  return typeof room === "boolean" ? Promise.resolve(begin(room)) : room.then(begin);
}

const OVERLOADED: Rejection = {
  reason: "overloaded",
  message: "too many request bytes are held by the router; try again later",
};

function declaredBytes(request: IncomingMessage): number | undefined {
  // The parser has checked that the value is digits and that it does not come with chunked coding.
  if (request.headers["transfer-encoding"] !== undefined) return undefined;
  return Number(request.headers["content-length"] ?? 0);
}

function tooLarge(bodyBytesMax: number): Rejection {
  return { reason: "body-too-large", message: `the body is over ${bodyBytesMax} bytes` };
}

class BodyReader implements RefusableBody {
  readonly #request: IncomingMessage;
  readonly #options: CollectOptions;
  /** Undefined when the client declares none. */
  readonly #declaredBytes: number | undefined;
  readonly #chunks: Buffer[] = [];
  /** A body of declared length that comes in several reads, put together as it comes. */
  #whole: Buffer | undefined;
  #takenBytes: number;
  #sizeBytes = 0;
  #resolve: ((body: CollectedBody) => void) | undefined;

  constructor(request: IncomingMessage, options: CollectOptions, takenBytes: number) {
    this.#request = request;
    this.#options = options;
    this.#takenBytes = takenBytes;
    this.#declaredBytes = declaredBytes(request);
  }

  read(): Promise<CollectedBody> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      // Not a closure: V8 puts one that is assigned to a property among the old objects at once, where it
      // kept the whole exchange until the next full collection. That cost 10 % of a small request's CPU.
      this.#options.connection.body = this;
      this.#request.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onClose);
    });
  }

  refuse(rejection: Rejection): void {
    this.#giveUp({ kind: "rejected", rejection });
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#resolve === undefined) return;
    this.#sizeBytes += chunk.length;
    const { bodyBytesMax } = this.#options;
    if (this.#sizeBytes > bodyBytesMax) {
      this.refuse(tooLarge(bodyBytesMax));
      return;
    }
    this.#keep(chunk);
    if (this.#sizeBytes > this.#takenBytes) this.#takeMore();
  };

  /** Copies what comes in parts once and at once, so that the reads it came in can be let go. */
  #keep(chunk: Buffer): void {
    const declared = this.#declaredBytes;
    if (declared === undefined || chunk.length === declared) {
      this.#chunks.push(chunk);
      return;
    }
    // The parser ends the body at its declared length, and the budget has room for it.
    this.#whole ??= Buffer.allocUnsafeSlow(declared);
    this.#whole.set(chunk, this.#sizeBytes - chunk.length);
  }

  readonly #onEnd = (): void => {
    if (this.#resolve === undefined) return;
    const [only] = this.#chunks;
    const joined =
      only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    const bytes = this.#whole ?? joined;
    this.#settle({ kind: "collected", bytes, takenBytes: this.#takenBytes });
  };

  readonly #onClose = (): void => this.#giveUp({ kind: "client-left" });

  /** Nothing further is read while the body waits for room; what came is one read of the socket at most. */
  #takeMore(): void {
    const { budget, bodyBytesMax } = this.#options;
    const step = Math.min(
      Math.max(CHUNKED_STEP_BYTES, this.#sizeBytes - this.#takenBytes),
      bodyBytesMax - this.#takenBytes,
    );
    const room = budget.take(step);
    if (room === true) {
      this.#takenBytes += step;
      return;
    }
    this.#request.pause();
    void Promise.resolve(room).then((isGranted) => {
      if (this.#resolve === undefined) {
        if (isGranted) budget.give(step);
      } else if (isGranted) {
        this.#takenBytes += step;
        this.#request.resume();
      } else {
        this.refuse(OVERLOADED);
      }
    });
  }

  #giveUp(body: CollectedBody): void {
    if (this.#resolve === undefined) return;
    this.#chunks.length = 0;
    this.#whole = undefined;
    this.#options.budget.give(this.#takenBytes);
    this.#settle(body);
  }

  #settle(body: CollectedBody): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#options.connection.body = undefined;
    resolve?.(body);
  }
}
