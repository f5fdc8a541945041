import { Client, type Dispatcher } from "undici";

/** Bytes of an answer that are read at most; vLLM's exposition is a few hundred kilobytes. */
const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;

/** uvicorn, which serves vLLM, closes idle connections after 5 s; ours close before it does. */
const KEEP_ALIVE_MS = 4000;

/** How engines are reached for the router's own background requests. */
export interface EngineAccess {
  readonly scheme: "http" | "https";
  /** Whether an engine's certificate must be one that this machine trusts. */
  readonly isVerifying: boolean;
  readonly metricsPath: string;
  /** Port of the metrics; 0 is the one that serves requests. */
  readonly metricsPort: number;
}

/** Unless set: the port that serves requests, as plain HTTP. */
export const DEFAULT_ENGINE_ACCESS: EngineAccess = {
  scheme: "http",
  isVerifying: false,
  metricsPath: "/metrics",
  metricsPort: 0,
};

/** Asks one endpoint; disposed of by each who opened it. */
export interface EndpointClient extends AsyncDisposable {
  /**
   * Body of a 200; throws for any other status, a fault of the connection, an answer too late or too
   * long, and when the signal is aborted.
   */
  get(path: string, signal: AbortSignal): Promise<Buffer>;
}

/**
 * The router's background requests to endpoints: scrapes, probes, lists of models. All that ask one
 * address share one keep-alive connection and take turns on it.
 */
export class EndpointClients {
  readonly #timeoutMs: number;
  readonly #access: EngineAccess;
  readonly #shared = new Map<string, { readonly client: Client; userCount: number }>();

  /** `timeoutMs` bounds a whole request, in wall time. */
  constructor(timeoutMs: number, access: EngineAccess = DEFAULT_ENGINE_ACCESS) {
    this.#timeoutMs = timeoutMs;
    this.#access = access;
  }

  get metricsPath(): string {
    return this.#access.metricsPath;
  }

  /** A client of the endpoint at `host:port`. */
  open(address: string): EndpointClient {
    const shared = this.#shared.get(address) ?? { client: this.#connect(address), userCount: 0 };
    this.#shared.set(address, shared);
    shared.userCount++;
    return {
      get: (path, signal) => get(shared.client, { path, signal, timeoutMs: this.#timeoutMs }),
      [Symbol.asyncDispose]: async () => {
        if (--shared.userCount > 0) return;
        this.#shared.delete(address);
        await shared.client.destroy();
      },
    };
  }

  /** As `open`, for the port of the metrics. */
  openMetrics(address: string): EndpointClient {
    const { metricsPort } = this.#access;
    return this.open(metricsPort === 0 ? address : address.replace(/:\d+$/, `:${metricsPort}`));
  }

  #connect(address: string): Client {
    const { scheme, isVerifying } = this.#access;
    return new Client(`${scheme}://${address}`, {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: RESPONSE_BYTES_MAX,
      // Each request has its own deadline.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: this.#timeoutMs, rejectUnauthorized: isVerifying },
    });
  }
}

/** Undici's own `request` makes a stream of each answer, which costs as much as the rest of a scrape. */
function get(
  client: Client,
  request: { path: string; signal: AbortSignal; timeoutMs: number },
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const { path, signal } = request;
  const chunks: Buffer[] = [];
  let controller: Dispatcher.DispatchController | undefined;
  let status = 0;
  let stopped: Error | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  const stop = (error: Error): void => {
    stopped = error;
    settle();
    reject(error);
    controller?.abort(error);
  };
  const onAbort = (): void => stop(new Error("stopped"));
  const timer = setTimeout(() => stop(new Error("no answer in time")), request.timeoutMs);
  signal.addEventListener("abort", onAbort);
  client.dispatch(
    { method: "GET", path },
    {
      onRequestStart(started) {
        controller = started;
        if (stopped !== undefined) started.abort(stopped);
      },
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        settle();
        if (status === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`status ${status}`));
      },
      onResponseError(_controller, error) {
        settle();
        reject(error);
      },
    },
  );
  return promise;
}
