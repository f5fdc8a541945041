import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { KubeApi } from "./kube-api.ts";
import { KubeFault, oneLine } from "./kube-fault.ts";
import { type KubeObject, readEvent, readList } from "./kube-object.ts";

/** Which objects are followed, and what is kept of them. */
export interface ListWatchOptions<T> {
  readonly api: KubeApi;
  /** Plural name, as logs and metrics show it. */
  readonly resource: string;
  readonly kind: string;
  /** Where the objects are; the first one that is served is followed from then on. */
  readonly paths: readonly string[];
  /** `labelSelector` or `fieldSelector`. */
  readonly query: Readonly<Record<string, string>>;
  /** What is kept of an object; undefined for one that cannot be read: what was known of it stays. */
  read(content: unknown): T | undefined;
  /** The objects may be others than before; called after each list and each batch of events. */
  changed(): void;
  readonly log: Log;
  readonly meter: Meter;
}

interface ListedObjects<T> {
  readonly objects: ReadonlyMap<string, T>;
  readonly version: string;
}

/** Objects that are kept at most; a pool of more pods is no pool. */
const OBJECTS_MAX = 5000;

/** Objects a page. */
const PAGE_SIZE = 250;

/** Pages of one list; the server may give fewer objects a page than asked. */
const PAGES_MAX = 1000;

const LIST_TIMEOUT_MS = 60_000;

/** The server ends a watch after this long, so that a connection that died unnoticed is replaced. */
const WATCH_SECONDS_MIN = 120;
const WATCH_SECONDS_SPREAD = 60;

/** How long past its end a watch may take to end. */
const WATCH_GRACE_MS = 15_000;

/** A watch that lasted this long was a good one: what ended it is the first failure of a new row. */
const GOOD_WATCH_MS = 10_000;

/** A watch that ends by itself sooner than this is counted as a failure: it would be asked for without pause. */
const SHORT_WATCH_MS = 1000;

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;

/** How long a server may ask to be left alone and is heard. */
const RETRY_AFTER_MS_MAX = 60_000;

/** A resource that is not served is asked for again this often: its definition may be installed later. */
const ABSENT_RETRY_MS = 30_000;

/**
 * The objects of one resource, kept as the API server says: a list in pages, then a watch from its
 * version on with bookmarks. A watch that breaks goes on from the last version that was seen; where the
 * server does not know that one any more (410), or said what cannot be right, the objects are listed
 * anew and what is not among them is gone. While the server is away, what was known stays.
 */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #objects: ReadonlyMap<string, T> = new Map();
  #path: string | undefined;
  /** Undefined: a list is due. */
  #version: string | undefined;
  #isSynced = false;
  #isAbsent = false;
  #failureCount = 0;
  /** What is wrong at present. */
  #fault: string | undefined;
  /** Told once until another is. */
  #lastSkipped: string | undefined;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** By name. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Whether the objects were listed once. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Whether the server does not serve the resource. */
  get isAbsent(): boolean {
    return this.#isAbsent;
  }

  describe(): Json {
    return {
      resource: this.#options.resource,
      path: this.#path ?? null,
      isSynced: this.#isSynced,
      isAbsent: this.#isAbsent,
      objects: this.#objects.size,
      fault: this.#fault ?? null,
    };
  }

  /** Nothing is told after this. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let startMs = performance.now();
      let pauseMs = 0;
      try {
        if (this.#version === undefined) await this.#list();
        startMs = performance.now();
        if (!this.#isAbsent) await this.#watch();
        pauseMs = this.#isAbsent ? spread(ABSENT_RETRY_MS) : this.#pauseAfter(startMs, undefined);
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
        pauseMs = this.#pauseAfter(startMs, error);
      }
      // The only rejection of a timer is that it was stopped.
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Counts failures in a row and says how long to wait before the next try. */
  #pauseAfter(startMs: number, error: unknown): number {
    const elapsedMs = performance.now() - startMs;
    if (error === undefined && elapsedMs >= SHORT_WATCH_MS) {
      this.#failureCount = 0;
      return 0;
    }
    this.#failureCount = elapsedMs >= GOOD_WATCH_MS ? 1 : this.#failureCount + 1;
    const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (this.#failureCount - 1));
    const askedMs = error instanceof KubeFault ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(spread(backoffMs), Math.min(RETRY_AFTER_MS_MAX, askedMs));
  }

  #failed(error: unknown): void {
    const { resource, log, meter } = this.#options;
    const status = error instanceof KubeFault ? error.status : undefined;
    if (error instanceof KubeFault && isStale(error)) this.#version = undefined;
    meter.count("discovery-faults", { resource, reason: reasonOf(error) });
    const reason = oneLine(error instanceof Error ? error.message : String(error));
    if (this.#fault === reason) return;
    this.#fault = reason;
    const isDenied = status === 401 || status === 403;
    log.warn(isDenied ? "kubernetes-denied" : "kubernetes-failed", { resource, reason });
  }

  /** The server answers as it should. */
  #succeeded(): void {
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#options.log.info("kubernetes-recovered", { resource: this.#options.resource });
  }

  async #list(): Promise<void> {
    const { paths, log, resource } = this.#options;
    // A definition that is installed later has none of the objects yet: what is followed stays so.
    const followed = this.#path === undefined ? [] : [this.#path];
    for (const path of new Set([...followed, ...paths])) {
      const listed = await this.#listAt(path);
      if (listed === undefined) continue;
      this.#path = path;
      this.#objects = listed.objects;
      this.#version = listed.version;
      this.#isSynced = true;
      this.#isAbsent = false;
      this.#options.changed();
      return;
    }
    if (!this.#isAbsent) log.warn("resource-absent", { resource, paths });
    this.#isAbsent = true;
    this.#options.changed();
  }

  /** Undefined where the path is not served. */
  async #listAt(path: string): Promise<ListedObjects<T> | undefined> {
    const { api, query, kind } = this.#options;
    const objects = new Map<string, T>();
    const token = { continue: "" };
    for (let page = 0; page < PAGES_MAX; page++) {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
      const asked = { ...query, limit: String(PAGE_SIZE), ...(page === 0 ? {} : token) };
      let answer: unknown;
      try {
        answer = await api.json({ method: "GET", path, query: asked, signal });
      } catch (error) {
        if (page === 0 && error instanceof KubeFault && error.status === 404) return undefined;
        throw error;
      }
      const list = readList(answer, kind, () => this.#skipped("a listed object has no name"));
      for (const object of list.items) this.#keep(object, objects);
      if (list.continueToken === "") return { objects, version: list.resourceVersion };
      token.continue = list.continueToken;
    }
    throw new KubeFault(`the list has more than ${PAGES_MAX} pages`);
  }

  async #watch(): Promise<void> {
    const { api, query } = this.#options;
    const seconds = Math.floor(WATCH_SECONDS_MIN + Math.random() * WATCH_SECONDS_SPREAD);
    const deadline = AbortSignal.timeout(seconds * 1000 + WATCH_GRACE_MS);
    const batches = api.lines({
      method: "GET",
      path: this.#path ?? "",
      query: {
        ...query,
        watch: "1",
        allowWatchBookmarks: "true",
        resourceVersion: this.#version ?? "",
        timeoutSeconds: String(seconds),
      },
      signal: AbortSignal.any([this.#stop.signal, deadline]),
    });
    for await (const lines of batches) this.#take(lines);
  }

  #take(lines: readonly string[]): void {
    this.#succeeded();
    if (lines.length === 0) return;
    const objects = new Map(this.#objects);
    try {
      for (const line of lines) {
        const event = readEvent(line, this.#options.kind);
        if (event.kind === "bookmark") {
          this.#version = event.resourceVersion;
          continue;
        }
        if (event.kind === "changed") this.#keep(event.object, objects);
        else objects.delete(event.object.name);
        this.#version = event.object.resourceVersion;
      }
    } finally {
      // What came before a bad line holds.
      this.#objects = objects;
      this.#options.changed();
    }
  }

  #keep({ name, content }: KubeObject, objects: Map<string, T>): void {
    if (objects.size >= OBJECTS_MAX && !objects.has(name)) {
      this.#skipped(`there are more than ${OBJECTS_MAX} objects`);
      return;
    }
    const value = this.#options.read(content);
    if (value === undefined) this.#skipped(`${name} cannot be read`);
    const kept = value ?? this.#objects.get(name);
    if (kept !== undefined) objects.set(name, kept);
  }

  #skipped(reason: string): void {
    const { resource, log, meter } = this.#options;
    meter.count("discovery-faults", { resource, reason: "skipped" });
    if (this.#lastSkipped !== reason) log.warn("object-skipped", { resource, reason });
    this.#lastSkipped = reason;
  }
}

/** Half to all of it, so that many programs do not come at once. */
function spread(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}

/**
 * Whether the version is no base to go on from. A refusal of who asks or how often says nothing of it,
 * nor does a server in trouble; 504 is the answer to a version that is newer than the server's own data.
 */
function isStale({ isResync, status = 0 }: KubeFault): boolean {
  if (isResync || status === 504) return true;
  return status >= 400 && status < 500 && ![401, 403, 429].includes(status);
}

/** A closed list of words for metrics. */
function reasonOf(error: unknown): string {
  if (!(error instanceof KubeFault)) return "connection";
  if (error.isResync) return "resync";
  const { status = 0 } = error;
  if (status === 401 || status === 403) return "denied";
  if (status === 429) return "throttled";
  return status >= 500 ? "server" : "protocol";
}
