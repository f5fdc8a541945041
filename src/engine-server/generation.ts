import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type RequestId, requestId } from "../core/brand.ts";
import type { EngineFinish, EngineRequest, KvHandle } from "../engine/engine-core.ts";
import { ANSWER_SHAPES, type AnswerHead, type AnswerUsage, usageJson } from "./answer-shape.ts";
import { type ApiFault, faultJson, sendFault, sendJson } from "./api-fault.ts";
import type { EngineUnit } from "./engine-unit.ts";
import { EventStream, type StreamedSequence } from "./event-stream.ts";
import type { GenerationRequest } from "./generation-request.ts";
import { heldParams } from "./kv-transfer-params.ts";
import type { OutputPlan } from "./output-plan.ts";
import { type PlannedSequence, planSequences } from "./planned-sequence.ts";

/** One request being generated: its sequences in the engine, its answer on the socket. */
export interface Generation {
  /** The client left: everything is taken out of the engine. */
  cancel(): void;
}

/** Starts a checked request; a fault is what the engine cannot run, and nothing was started. */
export function startGeneration(
  unit: EngineUnit,
  request: GenerationRequest,
  response: ServerResponse,
  answerId: string,
): Generation | ApiFault {
  const planned = planSequences(unit, request);
  if ("status" in planned) return planned;
  return new RunningGeneration(unit, request, response, answerId, planned);
}

class GeneratedSequence implements StreamedSequence {
  readonly index: number;
  readonly id: RequestId;
  readonly planned: PlannedSequence;
  readonly toolCallId: string;
  releasedTokens = 0;
  arrivedUs = 0;
  lastTokenUs = 0;
  finish: EngineFinish | undefined;

  constructor(index: number, uniqueId: string, planned: PlannedSequence) {
    this.index = index;
    this.id = requestId(`${uniqueId}-${index}`);
    this.planned = planned;
    this.toolCallId = `chatcmpl-tool-${uniqueId}-${index}`;
  }

  get plan(): OutputPlan {
    return this.planned.plan;
  }

  get promptTokens(): number {
    return this.planned.engineRequest.prompt.tokenCount;
  }

  get isFinished(): boolean {
    return this.finish !== undefined;
  }
}

class RunningGeneration implements Generation {
  readonly #unit: EngineUnit;
  readonly #request: GenerationRequest;
  readonly #response: ServerResponse;
  readonly #head: AnswerHead;
  readonly #sequences: readonly GeneratedSequence[];
  readonly #stream: EventStream | undefined;
  /** Blocks go with the first sequence; further ones find its prompt in the prefix cache. */
  readonly #kvHandle: KvHandle;
  #kvHeader: Readonly<Record<string, string>> = {};
  #isOver = false;

  constructor(
    unit: EngineUnit,
    request: GenerationRequest,
    response: ServerResponse,
    answerId: string,
    planned: readonly PlannedSequence[],
  ) {
    this.#unit = unit;
    this.#request = request;
    this.#response = response;
    const shape = ANSWER_SHAPES[request.kind];
    this.#head = {
      id: `${shape.idPrefix}${answerId}`,
      created: Math.floor(Date.now() / 1000),
      model: unit.options.modelName,
    };
    // Clients may send one x-request-id twice, so nothing in the engine goes by it.
    const uniqueId = randomUUID();
    this.#kvHandle = uniqueId as KvHandle;
    this.#sequences = planned.map((each, index) => new GeneratedSequence(index, uniqueId, each));
    if (request.stream !== undefined) {
      this.#stream = new EventStream({
        response,
        head: this.#head,
        shape,
        options: request.stream,
        sequences: this.#sequences,
        headers: () => this.#kvHeader,
        usage: () => this.#usage(),
        stallTimeoutMs: unit.options.stallTimeoutMs,
        stalled: () => this.#cut("client-stalled"),
      });
    }
    this.#submit();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream?.stop();
    this.#abortRest();
  }

  #submit(): void {
    const { driver } = this.#unit;
    for (const sequence of this.#sequences) {
      const kv = sequence.index === 0 ? this.#kvPart(sequence) : undefined;
      sequence.arrivedUs = driver.submit(
        {
          ...sequence.planned.engineRequest,
          id: sequence.id,
          ...(kv === undefined ? {} : { kv }),
        },
        {
          isStreaming: this.#stream !== undefined,
          tokens: (count, timeUs) => this.#release(sequence, count, timeUs),
          finished: (finish) => this.#finish(sequence, finish),
        },
      );
    }
  }

  #kvPart(sequence: GeneratedSequence): EngineRequest["kv"] {
    const { kv } = this.#request;
    if (this.#unit.sideChannel === undefined) return undefined;
    const handle = this.#kvHandle;
    switch (kv.kind) {
      case "none":
        return undefined;
      case "incomplete":
        this.#unit.options.log.warn("kv-params-incomplete");
        return undefined;
      case "hold": {
        // Only an answer in one piece can carry the handle, and vLLM keeps blocks only after `length`.
        const isNamed = this.#stream === undefined && sequence.plan.finishReason === "length";
        return isNamed ? { kind: "hold", handle } : undefined;
      }
      case "load": {
        this.#unit.loader.expect(handle, kv.source);
        const { promptTokens: mostTokens } = sequence;
        const tokenCount = Math.min(kv.source.tokenCount ?? mostTokens, mostTokens);
        return { kind: "load", handle, tokenCount };
      }
    }
  }

  #release(sequence: GeneratedSequence, count: number, timeUs: (k: number) => number): void {
    const { metrics, loader } = this.#unit;
    for (let k = 0; k < count; k++) {
      const atUs = timeUs(k);
      if (sequence.releasedTokens === 0) {
        metrics.firstToken(sequence.promptTokens, atUs - sequence.arrivedUs);
      } else {
        metrics.nextToken(atUs - sequence.lastTokenUs);
      }
      sequence.lastTokenUs = atUs;
      sequence.releasedTokens += 1;
    }
    const cost = sequence.index === 0 ? loader.cost(this.#kvHandle) : undefined;
    if (cost !== undefined) this.#kvHeader = { "x-switchyard-kv": kvCostHeader(cost) };
    if (!this.#isOver) this.#stream?.pump();
  }

  #finish(sequence: GeneratedSequence, finish: EngineFinish): void {
    const { metrics, loader } = this.#unit;
    sequence.finish = finish;
    metrics.finished(finish, {
      reason: finishedReason(sequence, finish),
      promptTokens: sequence.promptTokens,
      arrivedUs: sequence.arrivedUs,
    });
    const failure = sequence.index === 0 ? loader.failure(this.#kvHandle) : undefined;
    if (sequence.index === 0) loader.forget(this.#kvHandle);
    if (this.#isOver) return;
    if (finish.end === "kv-load-failed") {
      this.#fail(`KV load failed: ${failure ?? "the blocks did not come"}`);
    } else if (this.#stream !== undefined) {
      this.#stream.pump();
    } else if (this.#sequences.every((each) => each.isFinished)) {
      this.#answer();
    }
  }

  #answer(): void {
    this.#isOver = true;
    const shape = ANSWER_SHAPES[this.#request.kind];
    const choices = this.#sequences.map((each) => shape.whole(each, wholeText(each)));
    for (const [name, value] of Object.entries(this.#kvHeader)) {
      this.#response.setHeader(name, value);
    }
    const { id, created, model } = this.#head;
    sendJson(this.#response, 200, {
      id,
      object: shape.object,
      created,
      model,
      choices,
      usage: usageJson(this.#usage()),
      ...this.#kvParams(),
    });
  }

  #kvParams(): object {
    const { options, driver, engineId, sideChannel } = this.#unit;
    if (sideChannel === undefined) return {};
    const held = this.#request.kv.kind === "hold" ? driver.kvHeld(this.#kvHandle) : undefined;
    if (held === undefined) return { kv_transfer_params: null };
    const params = heldParams({
      engineId,
      requestId: this.#kvHandle,
      host: sideChannel.host,
      port: sideChannel.port,
      tensorParallel: options.config.tensorParallel,
      tokenCount: held.tokenCount,
      blockCount: held.blockCount,
    });
    return { kv_transfer_params: params };
  }

  #usage(): AnswerUsage {
    let promptTokensSum = 0;
    let completionTokens = 0;
    let cachedTokens = 0;
    for (const sequence of this.#sequences) {
      completionTokens += sequence.releasedTokens;
      if (!sequence.planned.isFirstOfPrompt) continue;
      promptTokensSum += sequence.promptTokens;
      cachedTokens += sequence.finish?.cachedTokens ?? 0;
    }
    return { promptTokens: promptTokensSum, completionTokens, cachedTokens };
  }

  #fail(message: string): void {
    this.#isOver = true;
    const fault: ApiFault = { status: 500, message, param: null };
    if (this.#stream !== undefined && this.#response.headersSent) {
      this.#stream.fail(faultJson(fault));
    } else {
      this.#stream?.stop();
      sendFault(this.#response, fault);
    }
    this.#abortRest();
  }

  #cut(reason: string): void {
    this.#unit.options.log.warn("stream-cut", { reason });
    this.#response.destroy();
    this.cancel();
  }

  #abortRest(): void {
    for (const sequence of this.#sequences) {
      if (!sequence.isFinished) this.#unit.driver.abort(sequence.id);
    }
  }
}

function wholeText(sequence: GeneratedSequence): string {
  let text = "";
  for (let token = 0; token < sequence.releasedTokens; token++) text += sequence.plan.piece(token);
  return text;
}

function finishedReason(
  sequence: GeneratedSequence,
  finish: EngineFinish,
): "stop" | "length" | "abort" | "error" {
  if (finish.end === "aborted") return "abort";
  if (finish.end === "kv-load-failed") return "error";
  return sequence.plan.finishReason === "length" ? "length" : "stop";
}

/** `bytes=<n>; ms=<n>; handshake-ms=<n>`: engine milliseconds with at most three decimals. */
function kvCostHeader(cost: { bytes: number; transferUs: number; handshakeUs: number }): string {
  const ms = Math.round(cost.transferUs) / 1000;
  return `bytes=${cost.bytes}; ms=${ms}; handshake-ms=${Math.round(cost.handshakeUs) / 1000}`;
}
