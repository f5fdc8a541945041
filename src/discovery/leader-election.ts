import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { KubeApi } from "./kube-api.ts";
import { KubeFault, oneLine } from "./kube-fault.ts";

/** Which lease is held by whom. */
export interface ElectionOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique among the candidates. */
  readonly identity: string;
  readonly log: Log;
  /** Unless given, those of controller-runtime. */
  readonly pace?: ElectionPace;
}

/** Times of an election, milliseconds. */
export interface ElectionPace {
  /** How long a lease that is not renewed keeps others out. */
  readonly leaseMs: number;
  /** How long a leader that cannot renew still leads; below `leaseMs`. */
  readonly renewDeadlineMs: number;
  /** Between two looks at the lease. */
  readonly retryMs: number;
}

/** A running candidate. */
export interface Election {
  isLeading(): boolean;
  describe(): Json;
  /** Stops, and gives the lease up if it is held, so that another takes it at once. */
  close(): Promise<void>;
}

// Defaults of controller-runtime, which llm-d's picker uses.
const DEFAULT_PACE: ElectionPace = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000 };

/** Share by which looks vary. */
const JITTER_RATIO = 0.2;

const lease = z.object({
  metadata: z.object({ resourceVersion: z.string() }).loose(),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .loose()
    .default({}),
});
type Lease = z.infer<typeof lease>;

/** Takes part in the election by a Lease (coordination.k8s.io/v1) until it is closed. */
export function startElection(options: ElectionOptions): Election {
  return new Candidate(options);
}

/**
 * One candidate. Clocks of machines differ, so times in the lease are never compared with one's own: a
 * lease has run out when it was seen unchanged for its whole duration. Each write names the version that
 * was read, so of two that write at once one fails.
 */
class Candidate implements Election {
  readonly #options: ElectionOptions;
  readonly #pace: ElectionPace;
  readonly #path: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** The lease as last seen, and since when it is as it is. */
  #seen: { readonly lease: Lease; readonly sinceMs: number } | undefined;
  /** When the last renewal that succeeded was begun; leading ends some time after it. */
  #renewedMs = Number.NEGATIVE_INFINITY;
  #wasLeading = false;
  #fault: string | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#pace = options.pace ?? DEFAULT_PACE;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
    this.#running = this.#run();
  }

  /** Judged when asked: a leader whose program was halted leads no more when it goes on. */
  isLeading(): boolean {
    return performance.now() - this.#renewedMs < this.#pace.renewDeadlineMs;
  }

  describe(): Json {
    return {
      lease: `${this.#options.namespace}/${this.#options.name}`,
      identity: this.#options.identity,
      holder: this.#seen?.lease.spec.holderIdentity ?? null,
      isLeading: this.isLeading(),
      fault: this.#fault ?? null,
    };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#seen === undefined || !this.isLeading()) return;
    this.#renewedMs = Number.NEGATIVE_INFINITY;
    try {
      await this.#write(this.#seen.lease, { holderIdentity: "", leaseDurationSeconds: 1 });
      this.#options.log.info("lease-released", { lease: this.#options.name });
    } catch (error) {
      // It runs out by itself.
      this.#tell("lease-release-failed", error);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#look();
        this.#fault = undefined;
      } catch (error) {
        if (!signal.aborted) this.#tell("lease-failed", error);
      }
      this.#tellLeading();
      const pauseMs = this.#pace.retryMs * (1 + JITTER_RATIO * Math.random());
      // The only rejection of a timer is that it was stopped.
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const current = await this.#read();
    if (current === undefined) {
      await this.#create();
      return;
    }
    this.#see(current);
    const holder = current.spec.holderIdentity ?? "";
    const isOwn = holder === this.#options.identity;
    // Whoever wrote another's name there meant it: nobody waits for the deadline.
    if (!isOwn) this.#renewedMs = Number.NEGATIVE_INFINITY;
    if (!isOwn && holder !== "" && !this.#isRunOut(current)) return;
    const now = microTime();
    await this.#hold(current, {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#pace.leaseMs / 1000),
      acquireTime: isOwn ? (current.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (current.spec.leaseTransitions ?? 0) + (isOwn ? 0 : 1),
    });
  }

  /** A lease as another wrote it is counted from when it was first seen so. */
  #see(current: Lease): void {
    const known = this.#seen?.lease.metadata.resourceVersion;
    if (known === current.metadata.resourceVersion) return;
    this.#seen = { lease: current, sinceMs: performance.now() };
  }

  #isRunOut({ spec }: Lease): boolean {
    const durationMs = (spec.leaseDurationSeconds ?? 0) * 1000 || this.#pace.leaseMs;
    return performance.now() - (this.#seen?.sinceMs ?? 0) >= durationMs;
  }

  async #create(): Promise<void> {
    const { name, identity, namespace } = this.#options;
    const now = microTime();
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#pace.leaseMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    };
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace },
      spec,
    };
    await this.#renew(() => this.#send("POST", this.#path, body));
  }

  async #hold(current: Lease, spec: Lease["spec"]): Promise<void> {
    await this.#renew(() => this.#write(current, spec));
  }

  /** The lease counts from before the request: the server may have written it at any time since. */
  async #renew(write: () => Promise<Lease>): Promise<void> {
    const startMs = performance.now();
    this.#see(await write());
    this.#renewedMs = startMs;
  }

  async #write(current: Lease, spec: Lease["spec"]): Promise<Lease> {
    const body = { ...current, spec: { ...current.spec, ...spec } };
    return await this.#send("PUT", `${this.#path}/${this.#options.name}`, body);
  }

  /** Undefined when nobody has made the lease yet. */
  async #read(): Promise<Lease | undefined> {
    try {
      return await this.#send("GET", `${this.#path}/${this.#options.name}`);
    } catch (error) {
      if (error instanceof KubeFault && error.status === 404) return undefined;
      throw error;
    }
  }

  async #send(method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<Lease> {
    // A lease that is given up is given up after the candidate was stopped.
    const signal = AbortSignal.timeout(this.#pace.renewDeadlineMs);
    const parsed = lease.safeParse(await this.#options.api.json({ method, path, body, signal }));
    if (!parsed.success) throw new KubeFault("the answer is no Lease");
    return parsed.data;
  }

  #tellLeading(): void {
    const isLeading = this.isLeading();
    if (isLeading === this.#wasLeading) return;
    this.#wasLeading = isLeading;
    const { log, name, identity } = this.#options;
    log.info(isLeading ? "lease-acquired" : "lease-lost", { lease: name, identity });
  }

  /** Each fault once, until a look succeeds. That another was faster is none. */
  #tell(event: string, error: unknown): void {
    if (error instanceof KubeFault && error.status === 409) return;
    const reason = oneLine(error instanceof Error ? error.message : String(error));
    if (this.#fault === reason) return;
    this.#fault = reason;
    this.#options.log.warn(event, { lease: this.#options.name, reason });
  }
}

/** The API's MicroTime: six digits of a second. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
