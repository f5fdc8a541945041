import type { IncomingMessage } from "node:http";
import type { Rejection } from "../../core/rejection.ts";
import { ReceivedBody } from "../../request/received-body.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Connection, RefusableBody } from "./connection.ts";

/** What became of a body. `takenBytes` of the budget are the caller's to give back, and only when collected. */
export type CollectedBody =
  | { readonly kind: "collected"; readonly body: ReceivedBody; readonly takenBytes: number }
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

/** From here on a piece is kept as it came. */
const OWN_PIECE_BYTES = 16 * 1024;

/** Most memory in which smaller ones are gathered. */
const GATHERED_BYTES_MAX = 64 * 1024;

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
  readonly #pieces: Buffer[] = [];
  /** Where small pieces are gathered, and how much of it is filled. */
  #tail: Buffer | undefined;
  #tailBytes = 0;
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

  /**
   * Large pieces are kept as they came: putting them together cost a tenth of a long request's CPU time.
   * Small ones are gathered, so that a body that trickles in takes no more than twice its size.
   */
  #keep(chunk: Buffer): void {
    const isWhole = chunk.length === this.#declaredBytes;
    if (isWhole || chunk.length >= OWN_PIECE_BYTES) {
      this.#closeTail();
      this.#pieces.push(chunk);
      return;
    }
    if (this.#tail === undefined || this.#tailBytes + chunk.length > this.#tail.length) {
      this.#closeTail();
      const room = Math.max(chunk.length, Math.min(this.#sizeBytes, GATHERED_BYTES_MAX), 1024);
      this.#tail = Buffer.allocUnsafeSlow(room);
    }
    this.#tail.set(chunk, this.#tailBytes);
    this.#tailBytes += chunk.length;
  }

  #closeTail(): void {
    if (this.#tail === undefined) return;
    const filled = this.#tail.subarray(0, this.#tailBytes);
    // A large piece may have cut the gathering short: what is mostly empty is not kept.
    const isSpare = 2 * filled.length < this.#tail.length;
    this.#pieces.push(isSpare ? Buffer.concat([filled]) : filled);
    this.#tail = undefined;
    this.#tailBytes = 0;
  }

  readonly #onEnd = (): void => {
    if (this.#resolve === undefined) return;
    this.#closeTail();
    const body = new ReceivedBody(this.#pieces);
    this.#settle({ kind: "collected", body, takenBytes: this.#takenBytes });
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
    this.#pieces.length = 0;
    this.#tail = undefined;
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
