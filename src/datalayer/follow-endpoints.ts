import type { EndpointId } from "../core/brand.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { ALIGNED_FROM_MS, waitAligned } from "./aligned-wait.ts";

/** An endpoint for as long as it keeps its slot and address. */
export interface FollowedEndpoint {
  readonly slot: number;
  readonly id: EndpointId;
  /** `host:port`. */
  readonly address: string;
  /** Aborted when it is followed no longer. */
  readonly signal: AbortSignal;
  /** Whether it is still in the table: what came over the wire meanwhile may be of a predecessor. */
  isCurrent(): boolean;
  /** Waits wall milliseconds, or until it is followed no longer. */
  pause(ms: number): Promise<void>;
}

/** What is done with each endpoint. */
export interface FollowOptions {
  readonly table: EndpointTable;
  /** Runs once for each endpoint and is expected to end when `isCurrent` turns false. */
  follow(endpoint: FollowedEndpoint): Promise<void>;
}

/** Endpoints that are followed. */
export interface Following {
  /** Aborts what is under way and waits for the loops to end. */
  close(): Promise<void>;
}

/** Wall milliseconds between two looks at the table for endpoints that came or went. */
const TABLE_POLL_MS = 100;

interface Follower {
  readonly generation: number;
  readonly address: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Runs a loop of its own for each endpoint in the table, from its arrival to its removal. */
export function followEndpoints(options: FollowOptions): Following {
  const { table } = options;
  const followers = new Map<number, Follower>();
  const ending = new Set<Promise<void>>();
  const isSame = (slot: number, follower: Follower): boolean =>
    slot < table.slotCount &&
    table.isPresent(slot) &&
    table.generation(slot) === follower.generation &&
    table.address(slot) === follower.address;
  const end = (slot: number, follower: Follower): void => {
    followers.delete(slot);
    follower.stop.abort();
    ending.add(follower.done);
    void follower.done.finally(() => ending.delete(follower.done));
  };
  const look = (): void => {
    for (const [slot, follower] of followers) {
      if (!isSame(slot, follower)) end(slot, follower);
    }
    for (let slot = 0; slot < table.slotCount; slot++) {
      if (table.isPresent(slot) && !followers.has(slot)) {
        followers.set(slot, begin(slot, options));
      }
    }
  };
  let isClosed = false;
  const poll = (): void => {
    if (isClosed) return;
    look();
    waitAligned(TABLE_POLL_MS, poll);
  };
  poll();
  return {
    async close() {
      isClosed = true;
      for (const [slot, follower] of followers) end(slot, follower);
      await Promise.all(ending);
    },
  };
}

function begin(slot: number, options: FollowOptions): Follower {
  const { table } = options;
  const generation = table.generation(slot);
  const address = table.address(slot);
  const stop = new AbortController();
  let wake: (() => void) | undefined;
  stop.signal.addEventListener("abort", () => wake?.());
  const done = options.follow({
    slot,
    id: table.id(slot),
    address,
    signal: stop.signal,
    isCurrent: () =>
      !stop.signal.aborted && table.isPresent(slot) && table.generation(slot) === generation,
    pause: (ms) =>
      new Promise((resolve) => {
        wake = resolve;
        if (stop.signal.aborted) resolve();
        else if (ms < ALIGNED_FROM_MS) setTimeout(resolve, ms);
        else waitAligned(ms, resolve);
      }),
  });
  return { generation, address, stop, done };
}
