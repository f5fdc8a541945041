import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import type { Clock } from "../core/clock.ts";
import { type EngineSettings, fillEngineConfig } from "../engine/engine-config.ts";
import { findGpu } from "../engine/gpus.ts";
import { findModel } from "../engine/models.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import { scaledClock } from "./scaled-clock.ts";
import {
  type EngineServer,
  type EngineServerOptions,
  startEngineServer,
} from "./start-engine-server.ts";

/** Engine seconds in a second of wall time: any answer of a test is done within some milliseconds. */
const TIME_SCALE = 1000;

/** A clock at `TIME_SCALE` that can be set forward. */
export class JumpingClock implements Clock {
  readonly #scaled: Clock = scaledClock(TIME_SCALE);
  #offsetMs = 0;

  nowMs(): number {
    return this.#scaled.nowMs() + this.#offsetMs;
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
  }
}

/** A clock that stands still between calls of `advance`. */
export class SteppedClock implements Clock {
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/** An engine server for one test; blocks held for another engine outlive the slowest machine. */
export async function engineFor(
  test: TestContext,
  options: Partial<EngineServerOptions> = {},
  settings: Partial<EngineSettings> = {},
): Promise<EngineServer> {
  const model = findModel("Qwen/Qwen3-0.6B");
  const gpu = findGpu("H100");
  if (model === undefined || gpu === undefined) throw new Error("the tables lack the test's model");
  const server = await startEngineServer({
    name: "engine-0",
    host: "127.0.0.1",
    port: 0,
    modelName: "qwen",
    config: fillEngineConfig({ model, gpu, maxModelLen: 8192, kvHoldUs: 1e12, ...settings }),
    clock: scaledClock(TIME_SCALE),
    timeScale: TIME_SCALE,
    seed: 7,
    hasher: new WasmBlockHasher(),
    link: { kind: "rdma" },
    isKvConnectorEnabled: false,
    ...options,
  });
  test.after(() => server.close());
  return server;
}

/** The official client on the server. */
export function clientOf(server: EngineServer): OpenAI {
  return new OpenAI({ baseURL: `http://${server.address}/v1`, apiKey: "none", maxRetries: 0 });
}

/** Posts JSON as it is. */
export function post(server: EngineServer, path: string, body: unknown): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`http://${server.address}${path}`, { method: "POST", body: text });
}

/** What the tests read of an answer. */
export interface AnswerJson {
  readonly choices: readonly { readonly text: string; readonly finish_reason: string }[];
  readonly usage: {
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly kv_transfer_params: Readonly<Record<string, unknown>> | null;
  readonly error: { readonly type: string; readonly code: number; readonly message: string };
}

/** An answer's body. */
export async function jsonOf(answer: Response): Promise<AnswerJson> {
  return (await answer.json()) as AnswerJson;
}

/** Samples of `/metrics` by name with labels; the common labels are left out. */
export async function metricsOf(server: EngineServer): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://${server.address}/metrics`)).text();
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const series = line.slice(0, space).replace(/model_name="qwen",engine="0",?/, "");
    samples.set(series.replace(/^vllm:|\{\}$/g, ""), Number(line.slice(space + 1)));
  }
  return samples;
}

/** A condition that has not come true by then is a failure; no machine is that slow. */
const GIVE_UP_MS = 60_000;

/** Waits for a condition. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const startMs = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - startMs > GIVE_UP_MS) throw new Error(`never came true: ${isTrue}`);
    await sleep(2);
  }
}
