import { DEFAULT_DISPATCH_LIMITS, type DispatchLimits } from "../dispatch/create-dispatcher.ts";
import { DEFAULT_HTTP_FRONT_LIMITS, type HttpFrontLimits } from "../front/http/http-front.ts";

/** Every limit and timeout of a live router, in one place; `serve --help` prints them with defaults. */
export interface RouterOptions extends HttpFrontLimits, DispatchLimits {
  readonly inFlightMax: number;
  readonly exchangeTimeoutMs: number;
  readonly decisionCapacity: number;
  readonly decisionBytesMax: number;
  readonly scrapeIntervalMs: number;
  readonly probeTimeoutMs: number;
}

/** What holds unless set. */
export const DEFAULT_ROUTER_OPTIONS: RouterOptions = {
  ...DEFAULT_HTTP_FRONT_LIMITS,
  ...DEFAULT_DISPATCH_LIMITS,
  inFlightMax: 65_536,
  exchangeTimeoutMs: 3_600_000,
  decisionCapacity: 4096,
  decisionBytesMax: 64 * 1024 * 1024,
  scrapeIntervalMs: 1000,
  probeTimeoutMs: 5000,
};

/** What each option bounds, as help shows it; the flag is the name in kebab case. */
export const ROUTER_OPTION_HELP: Readonly<Record<keyof RouterOptions, string>> = {
  bodyBytesMax: "bytes of one request body; a larger one is answered 413",
  bufferedBytesMax: "bytes of all request bodies held; above it new bodies wait unread",
  bufferWaitMs: "how long a body waits for room before 503",
  headersTimeoutMs: "from connection to complete request headers",
  requestTimeoutMs: "from the first byte of a request to the last of its body",
  keepAliveTimeoutMs: "how long an idle client connection is kept",
  maxHeaderBytes: "bytes of request headers; more is answered 431",
  maxConnections: "client connections at once",
  drainTimeoutMs: "how long requests under way may take after SIGTERM",
  retryLimit: "further endpoints tried after connect error, reset before the first byte, or 503",
  firstByteTimeoutMs: "from dispatch to the first byte of the answer, then 504",
  gapTimeoutMs: "longest silence within an answer",
  connectTimeoutMs: "to connect to an endpoint",
  connectionsPerEndpoint: "connections to one endpoint",
  inFlightMax: "requests of one pool under way; more are answered 503",
  exchangeTimeoutMs: "after which a request without end is given up in the books",
  decisionCapacity: "decisions kept for /api/decisions, shared by all pools",
  decisionBytesMax: "bytes kept of them",
  scrapeIntervalMs:
    "between two scrapes of an endpoint's metrics, engine time; of one at rest, five times that",
  probeTimeoutMs: "for one scrape, health probe or list of models",
};

/** `bodyBytesMax` as `--body-bytes-max`. */
export function flagOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
