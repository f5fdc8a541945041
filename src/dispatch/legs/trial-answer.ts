import type { IncomingHttpHeaders } from "node:http";
import type { RouterError } from "../../core/router-error.ts";
import { findJsonMember, readJsonMembers } from "../../request/json-members.ts";
import { isEventStream, isJson } from "../headers.ts";
import { eventSpan, SseLines } from "../sse-lines.ts";
import type { ResponseHead, UpstreamSink } from "../upstream.ts";
import { MAX_JSON_BYTES } from "../usage-reader.ts";

// vLLM's `finish_reason` of a request whose prompt was cached too little to be computed.
const REFUSED = '"cache_threshold"';

/** Whether the engine computes the request, wants its blocks first, or could do neither. */
export type TrialVerdict = "taken" | "refused" | "faulty";

/**
 * Holds the answer of a trial until its first choice tells whether the engine took the request: then it
 * passes on, or nothing of it does.
 */
export class TrialAnswer implements UpstreamSink {
  readonly #sink: UpstreamSink;
  readonly #decided: (verdict: TrialVerdict) => void;
  readonly #lines = new SseLines();
  #isPassing = false;
  #isStream = false;
  #head: ResponseHead | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** `decided` is called once, before anything passes; a refused call is the caller's to abort. */
  constructor(sink: UpstreamSink, decided: (verdict: TrialVerdict) => void) {
    this.#sink = sink;
    this.#decided = decided;
  }

  head(head: ResponseHead): void {
    this.#head = head;
    this.#isStream = isEventStream(head.headers);
    if (head.status >= 300) this.#pass("faulty");
    else if (!this.#isStream && !isJson(head.headers)) this.#pass("taken");
  }

  data(chunk: Buffer): void {
    if (this.#isPassing) {
      this.#sink.data(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#isStream) {
      let isRefused: boolean | undefined;
      this.#lines.push(chunk, (bytes, start, end) => {
        isRefused ??= refusal(bytes, start, end);
      });
      if (isRefused !== undefined) {
        this.#decide(isRefused);
        return;
      }
    }
    // A refusal is short.
    if (this.#heldBytes > MAX_JSON_BYTES) this.#pass("taken");
  }

  end(trailers: IncomingHttpHeaders): void {
    if (!this.#isPassing) {
      const isRefused = !this.#isStream && hasRefusal(Buffer.concat(this.#held)) === true;
      this.#decide(isRefused);
      if (isRefused) return;
    }
    this.#sink.end(trailers);
  }

  failed(fault: RouterError): void {
    if (!this.#isPassing) this.#decided("faulty");
    this.#sink.failed(fault);
  }

  #decide(isRefused: boolean): void {
    if (isRefused) this.#decided("refused");
    else this.#pass("taken");
  }

  #pass(verdict: TrialVerdict): void {
    this.#isPassing = true;
    this.#decided(verdict);
    if (this.#head !== undefined) this.#sink.head(this.#head);
    for (const chunk of this.#held) this.#sink.data(chunk);
    this.#held = [];
  }
}

/** Whether an event's first choice is a refusal; undefined for a line that holds no choice. */
function refusal(bytes: Buffer, start: number, end: number): boolean | undefined {
  const span = eventSpan(bytes, start, end);
  return span && hasRefusal(bytes.subarray(span.start, span.end));
}

function hasRefusal(json: Uint8Array): boolean | undefined {
  const top = readJsonMembers(json);
  const choices = top && findJsonMember(top, "choices");
  if (choices === undefined) return undefined;
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const [choice]: unknown[] = asList(
    JSON.parse(text.toString("utf8", choices.valueStart, choices.valueEnd)),
  );
  if (typeof choice !== "object" || choice === null) return undefined;
  return JSON.stringify(Reflect.get(choice, "finish_reason")) === REFUSED;
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
