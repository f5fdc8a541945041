import type { ServerResponse } from "node:http";
import {
  type AnswerHead,
  type AnswerSequence,
  type AnswerShape,
  type AnswerUsage,
  usageJson,
} from "./answer-shape.ts";
import type { StreamOptions } from "./generation-request.ts";

/** A sequence with how far it has come. */
export interface StreamedSequence extends AnswerSequence {
  /** Tokens whose time has come. */
  readonly releasedTokens: number;
  /** Whether no further token will come. */
  readonly isFinished: boolean;
  /** Prompt tokens that count for this sequence's own chunks. */
  readonly promptTokens: number;
}

/** What a stream is made from. */
export interface EventStreamParts {
  readonly response: ServerResponse;
  readonly head: AnswerHead;
  readonly shape: AnswerShape;
  readonly options: StreamOptions;
  readonly sequences: readonly StreamedSequence[];
  /** Called when the head is due, with the first token. */
  headers(): Readonly<Record<string, string>>;
  /** Called when all sequences are finished. */
  usage(): AnswerUsage;
  /** Wall time for which a client may leave a full buffer untouched. */
  readonly stallTimeoutMs: number;
  /** Such a client was found; the stream writes nothing more. */
  stalled(): void;
}

/** Text rendered ahead of the client. Tokens beyond it stay counts until the socket drains. */
const WRITE_AHEAD_CHARS = 65_536;

interface Cursor {
  readonly sequence: StreamedSequence;
  isOpen: boolean;
  isClosed: boolean;
  sentTokens: number;
}

/** Writes an answer as server-sent events, a chunk a token, no faster than the client reads. */
export class EventStream {
  readonly #parts: EventStreamParts;
  readonly #cursors: readonly Cursor[];
  #stall: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(parts: EventStreamParts) {
    this.#parts = parts;
    this.#cursors = parts.sequences.map((sequence) => ({
      sequence,
      isOpen: false,
      isClosed: false,
      sentTokens: 0,
    }));
    parts.response.on("drain", () => {
      clearTimeout(this.#stall);
      this.#stall = undefined;
      this.pump();
    });
  }

  /** Writes what has been released, as far as the client takes it. */
  pump(): void {
    const { response } = this.#parts;
    while (!this.#isEnded && this.#stall === undefined) {
      const text = this.#render();
      if (text === "") break;
      if (!response.headersSent) this.#begin();
      if (!response.write(text)) this.#awaitDrain();
    }
    if (!this.#isEnded && this.#cursors.every((cursor) => cursor.isClosed)) this.#end();
  }

  /** Ends a stream that has begun with an error, as vLLM does. */
  fail(error: object): void {
    this.stop();
    this.#parts.response.end(`${event(error)}data: [DONE]\n\n`);
  }

  /** Writes nothing more. */
  stop(): void {
    this.#isEnded = true;
    clearTimeout(this.#stall);
  }

  #begin(): void {
    this.#parts.response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      ...this.#parts.headers(),
    });
  }

  #render(): string {
    let text = "";
    for (const cursor of this.#cursors) {
      const { sequence } = cursor;
      const { releasedTokens, isFinished, plan } = sequence;
      if (!cursor.isOpen && releasedTokens > 0) {
        cursor.isOpen = true;
        for (const choice of this.#parts.shape.opening(sequence))
          text += this.#chunk(cursor, choice);
      }
      while (cursor.sentTokens < releasedTokens && text.length < WRITE_AHEAD_CHARS) {
        const choice = this.#parts.shape.piece(sequence, plan.piece(cursor.sentTokens));
        cursor.sentTokens += 1;
        text += this.#chunk(cursor, choice);
      }
      if (isFinished && !cursor.isClosed && cursor.sentTokens === releasedTokens) {
        cursor.isClosed = true;
        text += this.#chunk(cursor, this.#parts.shape.closing(sequence));
      }
    }
    return text;
  }

  #chunk(cursor: Cursor, choice: object): string {
    const { options } = this.#parts;
    if (!options.isUsageContinuous) return this.#event([choice], undefined);
    return this.#event([choice], {
      promptTokens: cursor.sequence.promptTokens,
      completionTokens: cursor.sentTokens,
      cachedTokens: undefined,
    });
  }

  #event(choices: readonly object[], usage: AnswerUsage | undefined): string {
    const { head, shape } = this.#parts;
    return event({
      id: head.id,
      object: shape.chunkObject,
      created: head.created,
      model: head.model,
      choices,
      ...(usage === undefined ? {} : { usage: usageJson(usage) }),
    });
  }

  #awaitDrain(): void {
    this.#stall = setTimeout(() => {
      this.stop();
      this.#parts.stalled();
    }, this.#parts.stallTimeoutMs);
  }

  #end(): void {
    this.stop();
    const { response, options } = this.#parts;
    const usage = options.isUsageIncluded ? this.#event([], this.#parts.usage()) : "";
    response.end(`${usage}data: [DONE]\n\n`);
  }
}

function event(json: object): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}
