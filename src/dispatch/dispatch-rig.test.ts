import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { endpointId, modelName, requestId } from "../core/brand.ts";
import type { ExchangeObserver, ExchangeReport, Outcome } from "../core/exchange-report.ts";
import { noLog } from "../core/log.ts";
import type { DispatchPlan, Target } from "../director/dispatch-plan.ts";
import type { RouterCore } from "../director/router-core.ts";
import { ReceivedBody } from "../request/received-body.ts";
import { createDispatcher, type DispatchLimits } from "./create-dispatcher.ts";
import type { Dispatcher, DispatchJob } from "./dispatcher.ts";
import type { RouterLegs } from "./router-legs.ts";

/** A server that a test can end; `closed` counts connections that the other side gave up. */
export interface Engine extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
}

/** A fake engine on a port of its own. */
export async function startEngine(listener: RequestListener): Promise<Engine> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: addressOf(server),
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A fake engine that speaks bytes. */
export async function startRawEngine(
  serve: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly address: string }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An address where nothing listens. */
export async function deadAddress(): Promise<string> {
  await using engine = await startRawEngine(() => undefined);
  return engine.address;
}

export const targetAt = (address: string, slot = 0): Target => ({
  slot,
  generation: 1,
  id: endpointId(`engine-${slot}`),
  address,
});

/** A core that notes what it is told and gives the fallbacks in order. */
export class RecordingCore {
  readonly calls: string[] = [];
  readonly ends: { how: string; outcome: Outcome }[] = [];
  readonly #fallbacks: Target[];

  constructor(fallbacks: readonly Target[]) {
    this.#fallbacks = [...fallbacks];
  }

  asCore(): RouterCore {
    const unused = (): never => {
      throw new Error("not part of dispatching");
    };
    return {
      endpoints: {
        slotCount: 8,
        isPresent: () => true,
        isReady: () => true,
        id: (slot) => endpointId(`engine-${slot}`),
        ids: [],
        address: unused,
        labels: () => ({}),
        lora: () => undefined,
        generation: () => 1,
        column: unused,
      },
      arrive: unused,
      retry: (decision, failed) => {
        this.calls.push(`retry ${decision} ${failed.id}`);
        return this.#fallbacks.shift();
      },
      responseHeaders: () => new Map(),
      firstByte: (decision) => this.calls.push(`firstByte ${decision}`),
      end: (decision, how, outcome) => {
        this.calls.push(`end ${decision} ${how}`);
        this.ends.push({ how, outcome });
      },
      metrics: unused,
      kvEvents: unused,
      endpoint: unused,
      health: (slot, isReady) => this.calls.push(`health ${slot} ${isReady}`),
      slotOf: unused,
      drain: unused,
      inFlightCount: 0,
      nextDeadlineMs: unused,
      tick: unused,
    };
  }
}

/** What one router under test was asked and told. */
export interface Rig extends AsyncDisposable {
  readonly address: string;
  readonly core: RecordingCore;
  readonly dispatcher: Dispatcher;
  readonly reports: ExchangeReport[];
  readonly gaps: number[];
  /** Resolves with the report of the next exchange that ends, or has ended unseen. */
  nextReport(): Promise<ExchangeReport>;
}

/** What a test changes of a plan and of the bounds. */
export interface RigOptions {
  readonly fallbacks?: readonly Target[];
  readonly plan?: Partial<DispatchPlan>;
  readonly limits?: Partial<DispatchLimits>;
  readonly timeScale?: number;
  readonly legs?: Partial<RouterLegs>;
}

/** A router that dispatches every request to the given address. */
export async function startRig(address: string, options: RigOptions = {}): Promise<Rig> {
  const primary = [targetAt(address), ...(options.fallbacks ?? [])];
  const core = new RecordingCore(primary.slice(1));
  const reports: ExchangeReport[] = [];
  const gaps: number[] = [];
  const waiting: ((report: ExchangeReport) => void)[] = [];
  const unseen: ExchangeReport[] = [];
  const observer: ExchangeObserver = {
    started: () => undefined,
    chunkGap: (_model, gapMs) => gaps.push(gapMs),
    finished: (report) => {
      reports.push(report);
      const next = waiting.shift();
      if (next === undefined) unseen.push(report);
      else next(report);
    },
  };
  const clock = { nowMs: () => performance.now() };
  const { timeScale = 1, limits = {} } = options;
  const { legs } = options;
  const dispatcher = createDispatcher({ clock, timeScale, observer, log: noLog, limits, legs });
  const plan: DispatchPlan = {
    primary,
    advertised: 1,
    prefill: [],
    encode: [],
    legs: "sidecar",
    setHeaders: new Map(),
    removeHeaders: [],
    edits: [],
    ...options.plan,
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    await dispatcher.dispatch(jobOf(request, response, body, plan, core.asCore()));
  };
  const front = await startEngine((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  return {
    address: front.address,
    core,
    dispatcher,
    reports,
    gaps,
    nextReport: () => {
      const report = unseen.shift();
      if (report !== undefined) return Promise.resolve(report);
      return new Promise((resolve) => waiting.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await dispatcher.close();
    },
  };
}

function jobOf(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  plan: DispatchPlan,
  core: RouterCore,
): DispatchJob {
  const model = modelName("m");
  return {
    core,
    pool: "pool",
    model,
    request: {
      id: requestId("req-1"),
      kind: "chat",
      path: request.url ?? "/",
      model,
      isStreaming: false,
      isUsageStreamed: false,
      maxOutputTokens: undefined,
      mediaCount: 0,
      bodyBytes: body.length,
      prompt: { sizeBytes: 3, blocks: () => ({ hashes: new Uint32Array(0), blockCount: 0 }) },
      header: () => undefined,
      renamed: () => {
        throw new Error("a dispatched request is not renamed again");
      },
    },
    plan,
    decision: 7,
    decisionId: "pool.7",
    headers: request.headers,
    body: new ReceivedBody([body]),
    response,
    arrivedAtMs: performance.now(),
    arrivedWallMs: performance.now(),
  };
}

/** Sends raw bytes and returns all that comes back until the connection ends. */
export async function exchangeBytes(address: string, bytes: string): Promise<string> {
  const socket = connectTo(address);
  socket.write(bytes);
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  await once(socket, "close");
  return Buffer.concat(parts).toString("latin1");
}

/** A client's connection. */
export function connectTo(address: string): Socket {
  const socket = connect(Number(address.slice(address.lastIndexOf(":") + 1)), "127.0.0.1");
  socket.on("error", () => undefined);
  return socket;
}

/** The parts of `bytes` between the cuts, whatever their order. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.subarray(start, at[i] ?? bytes.length));
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
