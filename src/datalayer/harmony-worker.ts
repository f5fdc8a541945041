import { parentPort } from "node:worker_threads";
import { encode } from "gpt-tokenizer/encoding/o200k_harmony";
import { invariant } from "../core/invariant.ts";
import type { Segment } from "./harmony-segments.ts";

/** What the worker is asked. */
export interface HarmonyJob {
  readonly job: number;
  readonly segments: readonly Segment[];
}

/** What it answers: tokens of all segments, and where each ends. */
export interface HarmonyAnswer {
  readonly job: number;
  readonly tokens: Uint32Array<ArrayBuffer>;
  readonly ends: Int32Array<ArrayBuffer>;
}

invariant(parentPort !== null, "this file is started as a worker");
const port = parentPort;

/** What stands in a message is text, whatever it looks like. */
const ORDINARY = { disallowedSpecial: new Set<string>() };

port.on("message", ({ job, segments }: HarmonyJob) => {
  const tokens: number[] = [];
  const ends = new Int32Array(segments.length);
  for (const [at, segment] of segments.entries()) {
    for (const part of segment) {
      if (typeof part === "number") tokens.push(part);
      else for (const token of encode(part, ORDINARY)) tokens.push(token);
    }
    ends[at] = tokens.length;
  }
  const answer: HarmonyAnswer = { job, tokens: Uint32Array.from(tokens), ends };
  port.postMessage(answer, [answer.tokens.buffer, answer.ends.buffer]);
});
