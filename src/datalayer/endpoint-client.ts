import { Client } from "undici";

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

/** One keep-alive connection to an endpoint, for the router's own background requests. */
export class EndpointClient {
  readonly #client: Client;
  readonly #timeoutMs: number;

  /** `timeoutMs` bounds a whole request, in wall time. */
  constructor(
    address: string,
    timeoutMs: number,
    { scheme, isVerifying }: Pick<EngineAccess, "scheme" | "isVerifying"> = DEFAULT_ENGINE_ACCESS,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#client = new Client(`${scheme}://${address}`, {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: RESPONSE_BYTES_MAX,
      connect: { timeout: timeoutMs, rejectUnauthorized: isVerifying },
    });
  }

  /** Body of a 200; throws for any other status, a fault of the connection or an answer too late or too long. */
  async get(path: string): Promise<string> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const answer = await this.#client.request({ method: "GET", path, signal: deadline });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw new Error(`status ${answer.statusCode}`);
    }
    return await answer.body.text();
  }

  /** Cuts the connection and what is under way on it. */
  async close(): Promise<void> {
    await this.#client.destroy();
  }
}
