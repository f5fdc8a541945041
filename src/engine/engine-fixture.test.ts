import { requestId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { KvEvent } from "../core/kv-event.ts";
import { type EngineConfig, type EngineSettings, fillEngineConfig } from "./engine-config.ts";
import type {
  EngineCore,
  EngineFinish,
  EngineRequest,
  EngineSink,
  KvHandle,
} from "./engine-core.ts";
import { findGpu } from "./gpus.ts";
import { mixKeys } from "./mix-keys.ts";
import { findModel } from "./models.ts";

/** A small model on an H100 with a pool of the given size, 16 tokens a block. */
export function configWith(settings: Partial<EngineSettings> = {}): EngineConfig {
  const model = findModel("Llama-3.1-8B");
  const gpu = findGpu("H100");
  invariant(model !== undefined && gpu !== undefined, "the tables lack the fixture's names");
  return fillEngineConfig({ model, gpu, ...settings });
}

/** A prompt of `tokens` tokens; prompts with one `stem` share their beginning. */
export function requestWith(
  id: string,
  tokens: number,
  outputTokens: number,
  options: { stem?: number; kv?: EngineRequest["kv"]; cacheSalt?: string } = {},
): EngineRequest {
  const blockKeys = Float64Array.from({ length: Math.floor(tokens / 16) }, (_, i) =>
    mixKeys(options.stem ?? Number.parseInt(id, 36), i),
  );
  const { kv, cacheSalt } = options;
  return {
    id: requestId(id),
    prompt: {
      tokenCount: tokens,
      blockKeys,
      tokenIds: Uint32Array.from({ length: tokens }, (_, i) => i),
      ...(cacheSalt !== undefined && { cacheSalt }),
    },
    outputTokens,
    ...(kv !== undefined && { kv }),
  };
}

export const handle = (text: string): KvHandle => text as KvHandle;

/** Keeps what an engine says, token by token. */
export class Recorder implements EngineSink {
  readonly tokenTimes: Map<string, number[]> = new Map();
  readonly finishes: EngineFinish[] = [];
  readonly kv: { readonly atUs: number; readonly events: readonly KvEvent[] }[] = [];
  readonly wanted: { readonly id: string; readonly tokenCount: number; readonly atUs: number }[] =
    [];

  tokens(id: string, count: number, timeUs: (k: number) => number): void {
    const times = this.tokenTimes.get(id) ?? [];
    for (let k = 0; k < count; k++) times.push(timeUs(k));
    this.tokenTimes.set(id, times);
  }

  finished(finish: EngineFinish): void {
    this.finishes.push(finish);
  }

  kvEvents(events: readonly KvEvent[], atUs: number): void {
    this.kv.push({ atUs, events });
  }

  kvWanted(id: string, _handle: KvHandle, tokenCount: number, atUs: number): void {
    this.wanted.push({ id, tokenCount, atUs });
  }

  finish(id: string): EngineFinish {
    const found = this.finishes.filter((finish) => finish.id === id);
    invariant(found.length === 1, `${id} finished ${found.length} times`);
    return found[0] as EngineFinish;
  }
}

/** Advances from event to event until nothing happens by itself; returns when that was. */
export function drain(engine: EngineCore, recorder: Recorder, fromUs = 0): number {
  let nowUs = fromUs;
  for (let turns = 0; Number.isFinite(engine.nextEventUs()); turns++) {
    invariant(turns < 100_000, "the engine does not come to rest");
    nowUs = Math.max(nowUs, engine.nextEventUs());
    engine.advance(nowUs, recorder);
  }
  return nowUs;
}
