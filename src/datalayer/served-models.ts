import type { Log } from "../core/log.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { EndpointClients } from "./endpoint-clients.ts";
import { FailureLog } from "./failure-log.ts";
import { type FollowedEndpoint, followEndpoints } from "./follow-endpoints.ts";
import { wallInterval } from "./wall-interval.ts";

/** What the watch is made of. */
export interface ServedModelsOptions {
  readonly table: EndpointTable;
  /** Engine seconds a wall second. */
  readonly timeScale: number;
  readonly clients: EndpointClients;
  readonly log: Log;
}

/** Models that a pool's endpoints say they serve. */
export interface ServedModels {
  /** Ids of all endpoints that are still there, ready or not: an outage does not unname a model. */
  ids(): ReadonlySet<string>;
  close(): Promise<void>;
}

/** Engine milliseconds between two questions to an endpoint. */
const INTERVAL_MS = 30_000;

/** Engine milliseconds between two looks at one that is not ready or did not answer. */
const RETRY_MS = 1000;

const MODELS_MAX = 1000;
const ID_CHARACTERS_MAX = 256;

/** Asks ready endpoints for `GET /v1/models`, for pools whose models no manifest names. */
export function startServedModels(options: ServedModelsOptions): ServedModels {
  const { table } = options;
  const idsByEndpoint = new Map<FollowedEndpoint, readonly string[]>();
  let union: ReadonlySet<string> = new Set();
  const set = (endpoint: FollowedEndpoint, ids: readonly string[] | undefined): void => {
    if (ids === undefined) idsByEndpoint.delete(endpoint);
    else idsByEndpoint.set(endpoint, ids);
    union = new Set([...new Set([...idsByEndpoint.values()].flat())].slice(0, MODELS_MAX));
  };
  const following = followEndpoints({
    table,
    async follow(endpoint) {
      await askLoop(endpoint, options, (ids) => set(endpoint, ids));
      set(endpoint, undefined);
    },
  });
  return { ids: () => union, close: () => following.close() };
}

async function askLoop(
  endpoint: FollowedEndpoint,
  options: ServedModelsOptions,
  set: (ids: readonly string[]) => void,
): Promise<void> {
  const { table, timeScale } = options;
  const failures = new FailureLog(options.log, "models", endpoint.id);
  await using client = options.clients.open(endpoint.address);
  while (endpoint.isCurrent()) {
    let waitMs = RETRY_MS;
    if (table.isReady(endpoint.slot)) {
      try {
        const ids = modelIds(await client.get("/v1/models", endpoint.signal));
        if (endpoint.isCurrent()) set(ids);
        failures.succeeded();
        waitMs = INTERVAL_MS;
      } catch (error) {
        if (endpoint.isCurrent()) failures.failed(error);
      }
    }
    await endpoint.pause(wallInterval(waitMs, timeScale));
  }
}

/** Ids of OpenAI's model list; throws for another shape. */
function modelIds(answer: Buffer): readonly string[] {
  const list: unknown = JSON.parse(answer.toString());
  if (!isRecord(list) || !Array.isArray(list["data"])) throw new Error("not a list of models");
  const ids = list["data"].flatMap((model: unknown) =>
    isRecord(model) && typeof model["id"] === "string" ? [model["id"]] : [],
  );
  return ids.filter((id) => id !== "" && id.length <= ID_CHARACTERS_MAX).slice(0, MODELS_MAX);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
