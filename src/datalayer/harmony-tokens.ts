import { Worker } from "node:worker_threads";
import type { InferenceRequest } from "../request/inference-request.ts";
import { chatSegments, completionSegments, type Segment } from "./harmony-segments.ts";
import type { HarmonyAnswer, HarmonyJob } from "./harmony-worker.ts";
import {
  type RequestBody,
  type SegmentTokens,
  segmentKeys,
  type TokenPlan,
  type TokenSource,
} from "./token-source.ts";

/** Tokens of gpt-oss, encoded here: in a thread of its own, so that no request waits for another's text. */
export class HarmonyTokens implements TokenSource {
  readonly name = "harmony";
  readonly #today: () => string;
  readonly #waiting = new Map<
    number,
    { resolve(answer: HarmonyAnswer): void; reject(error: Error): void }
  >();
  #worker: Worker | undefined;
  #lastJob = 0;

  /** `today` is the engines' date; vLLM writes its own clock's into every chat. */
  constructor(today: () => string = utcDate) {
    this.#today = today;
  }

  plan({ kind }: InferenceRequest, body: RequestBody): TokenPlan | undefined {
    const { prompt } = body;
    const segments =
      kind === "chat"
        ? chatSegments(body, this.#today())
        : typeof prompt === "string"
          ? completionSegments(prompt)
          : undefined;
    if (segments === undefined) return undefined;
    const { keys, sizeBytes } = segmentKeys(segmentTexts(segments));
    return { keys, sizeBytes, run: (from) => this.#run(segments.slice(from), from) };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
    this.#fail(new Error("closed"));
  }

  #run(segments: readonly Segment[], from: number): Promise<SegmentTokens> {
    const worker = this.#worker ?? this.#start();
    const job = ++this.#lastJob;
    const { promise, resolve, reject } = Promise.withResolvers<HarmonyAnswer>();
    this.#waiting.set(job, { resolve, reject });
    worker.postMessage({ job, segments } satisfies HarmonyJob);
    return promise.then(({ tokens, ends }) => ({ from, tokens, ends }));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./harmony-worker.ts", import.meta.url));
    worker.unref();
    worker.on("message", (answer: HarmonyAnswer) => {
      this.#waiting.get(answer.job)?.resolve(answer);
      this.#waiting.delete(answer.job);
    });
    worker.on("error", (error: Error) => {
      // The next prompt starts another one.
      this.#worker = undefined;
      this.#fail(error);
    });
    this.#worker = worker;
    return worker;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function* segmentTexts(segments: readonly Segment[]): Generator<string> {
  for (const segment of segments) yield segment.join("\u0001");
}

/** Containers run in UTC unless somebody sets their zone. */
function utcDate(): string {
  return new Date().toISOString().slice(0, 10);
}
