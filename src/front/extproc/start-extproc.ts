import { invariant } from "../../core/invariant.ts";
import { BodyBudget } from "../http/body-budget.ts";
import type { ExtProcContext } from "./extproc-context.ts";
import { ExtProcExchange } from "./extproc-exchange.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import { startGrpcServer } from "./grpc-server.ts";
import type { TlsIdentity, TlsSettings } from "./h2/h2-server.ts";
import { healthMethods } from "./health-methods.ts";
import { PROCESS_PATH } from "./processor-service.ts";

/** Bounds of the ext_proc front; all times are wall milliseconds. */
export interface ExtProcLimits {
  readonly bodyBytesMax: number;
  /** Bytes of all bodies together; above it new ones wait unread. */
  readonly bufferedBytesMax: number;
  readonly bufferWaitMs: number;
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  readonly drainTimeoutMs: number;
}

/** What the front is made of. */
export interface ExtProcOptions
  extends Omit<ExtProcContext, "budget" | "bodyBytesMax" | "requestTimeoutMs"> {
  /** Empty listens on all addresses. */
  readonly host: string;
  readonly port: number;
  readonly healthPort: number;
  /** Undefined serves plaintext; health always does. */
  readonly tls: TlsSettings | undefined;
  readonly messageBytesMax: number;
  /** Whether health is answered on the ext_proc port as well. */
  readonly hasHealthOnPort: boolean;
  /** Whether calls are wanted: some endpoint could take a request. */
  isReady(): boolean;
  readonly limits: ExtProcLimits;
}

/** A listening ext_proc front. */
export interface ExtProcFront {
  readonly port: number;
  readonly healthPort: number;
  /** Exchanges under way. */
  readonly exchangeCount: number;
  /** Bytes of request bodies that are held. */
  readonly bufferedBytes: number;
  /** New connections get this certificate. */
  useTls(identity: TlsIdentity): void;
  /** Health turns NOT_SERVING; exchanges go on until none is left or the limit; then all is closed. */
  drain(): Promise<void>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** Exchanges at once: the circuit breakers of llm-d's own Envoy settings. */
const EXCHANGES_MAX = 40_000;

/** Bodies that may wait for room at once; each holds an exchange. */
const WAITING_BODIES_MAX = 1024;

/** Health checkers are few and ask one question at a time. */
const HEALTH_CALLS_MAX = 100;

/** Listens on both ports; rejects, with nothing left open, when one cannot be had. */
export async function startExtProc(options: ExtProcOptions): Promise<ExtProcFront> {
  const { host, limits, log, messageBytesMax } = options;
  const { bodyBytesMax, bufferedBytesMax, bufferWaitMs, requestTimeoutMs } = limits;
  invariant(bodyBytesMax <= bufferedBytesMax, "one body must fit in the budget");
  const budget = new BodyBudget({
    bytesMax: bufferedBytesMax,
    waitMs: bufferWaitMs,
    waitingMax: WAITING_BODIES_MAX,
  });
  const context: ExtProcContext = { ...options, budget, bodyBytesMax, requestTimeoutMs };
  let isDraining = false;
  const health = healthMethods({ isReady: () => !isDraining && options.isReady() });
  const process: GrpcMethod = (call) => new ExtProcExchange(call, context);
  const common = {
    ...{ host, log, messageBytesMax, connectionsMax: limits.maxConnections },
    heldBytesMax: bufferedBytesMax,
  };
  const server = await startGrpcServer({
    ...common,
    port: options.port,
    tls: options.tls,
    methods: new Map([[PROCESS_PATH, process], ...(options.hasHealthOnPort ? health : [])]),
    callsMax: EXCHANGES_MAX,
  });
  const healthServer = await startGrpcServer({
    ...common,
    port: options.healthPort,
    tls: undefined,
    methods: health,
    callsMax: HEALTH_CALLS_MAX,
  }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    await Promise.all([server.close(), healthServer.close()]);
  };
  return {
    port: server.port,
    healthPort: healthServer.port,
    get exchangeCount() {
      return server.callCount;
    },
    get bufferedBytes() {
      return budget.usedBytes;
    },
    useTls: (identity) => server.useTls(identity),
    async drain() {
      isDraining = true;
      await server.idle(limits.drainTimeoutMs);
      await close();
    },
    close,
  };
}
