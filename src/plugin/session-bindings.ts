import type { EndpointId } from "../core/brand.ts";

/** With ids of up to 256 characters this is some 50 MB; beyond it the least recently used session goes. */
const BINDINGS_MAX = 100_000;

/** How long a binding lives. */
export interface BindingLifetime {
  /** Since its last use. */
  readonly ttlMs: number;
  /** Time from one removal of expired bindings to the next. */
  readonly sweepMs: number;
}

interface Binding {
  readonly endpoint: EndpointId;
  readonly usedAtMs: number;
}

/** Which endpoint serves which session: bounded in time and number. */
export class SessionBindings {
  readonly #lifetime: BindingLifetime;
  /** Least recently used first, so that expired ones stand in front. */
  readonly #bySession = new Map<string, Binding>();
  #nextSweepMs = Number.NEGATIVE_INFINITY;

  constructor(lifetime: BindingLifetime) {
    this.#lifetime = lifetime;
  }

  get count(): number {
    return this.#bySession.size;
  }

  find(session: string, nowMs: number): EndpointId | undefined {
    const binding = this.#bySession.get(session);
    return binding === undefined || this.#isExpired(binding, nowMs) ? undefined : binding.endpoint;
  }

  /** Binds a session, or notes that its binding was used. */
  bind(session: string, endpoint: EndpointId, nowMs: number): void {
    this.#sweep(nowMs);
    this.#bySession.delete(session);
    this.#bySession.set(session, { endpoint, usedAtMs: nowMs });
    if (this.#bySession.size <= BINDINGS_MAX) return;
    const [oldest] = this.#bySession.keys();
    if (oldest !== undefined) this.#bySession.delete(oldest);
  }

  /** Takes over the bindings of an earlier instance. */
  adopt(earlier: SessionBindings): void {
    for (const [session, binding] of earlier.#bySession) this.#bySession.set(session, binding);
  }

  #sweep(nowMs: number): void {
    if (nowMs < this.#nextSweepMs) return;
    this.#nextSweepMs = nowMs + this.#lifetime.sweepMs;
    for (const [session, binding] of this.#bySession) {
      if (!this.#isExpired(binding, nowMs)) return;
      this.#bySession.delete(session);
    }
  }

  #isExpired(binding: Binding, nowMs: number): boolean {
    return nowMs - binding.usedAtMs > this.#lifetime.ttlMs;
  }
}
