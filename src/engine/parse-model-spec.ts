import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { ModelSpec } from "./model-spec.ts";

/** Reads a model of one's own from JSON with the fields of `ModelSpec`; throws ConfigError with every fault. */
export function parseModelSpec(raw: unknown): ModelSpec {
  const faults: ConfigFault[] = [];
  const root = new Fields(raw, "", faults);
  const sliding = root.has("slidingWindow") ? root.fields("slidingWindow") : undefined;
  const experts = root.has("experts") ? root.fields("experts") : undefined;
  const model: ModelSpec = {
    name: root.text("name"),
    layers: root.count("layers"),
    hidden: root.count("hidden"),
    heads: root.count("heads"),
    kvHeads: root.count("kvHeads"),
    headDim: root.count("headDim"),
    ffn: root.count("ffn"),
    vocab: root.count("vocab"),
    isTied: root.flag("isTied"),
    contextTokens: root.count("contextTokens"),
    ...(sliding && {
      slidingWindow: { layers: sliding.count("layers"), tokens: sliding.count("tokens") },
    }),
    ...(experts && {
      experts: {
        count: experts.count("count"),
        active: experts.count("active"),
        bytesPerParameter: experts.positive("bytesPerParameter"),
      },
    }),
  };
  for (const fields of [root, sliding, experts]) fields?.refuseUnread();
  if (faults.length === 0) relationFaults(model, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return model;
}

function relationFaults(model: ModelSpec, faults: ConfigFault[]): void {
  const { heads, kvHeads, layers, slidingWindow, experts } = model;
  if (heads % kvHeads !== 0) {
    faults.push({ path: "kvHeads", message: `heads (${heads}) must be a multiple of kvHeads` });
  }
  if (slidingWindow !== undefined && slidingWindow.layers > layers) {
    faults.push({ path: "slidingWindow.layers", message: `must be at most layers (${layers})` });
  }
  if (experts !== undefined && experts.active > experts.count) {
    faults.push({ path: "experts.active", message: `must be at most count (${experts.count})` });
  }
}

/** Reads an object strictly; a wrong field is noted and replaced, so that all faults are found at once. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #prefix: string;
  readonly #faults: ConfigFault[];
  readonly #read = new Set<string>();

  constructor(raw: unknown, path: string, faults: ConfigFault[]) {
    const isObject = typeof raw === "object" && raw !== null && !Array.isArray(raw);
    if (!isObject) faults.push({ path, message: "must be an object" });
    this.#values = isObject ? (raw as Record<string, unknown>) : {};
    this.#prefix = path === "" ? "" : `${path}.`;
    this.#faults = faults;
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  fields(key: string): Fields {
    return new Fields(this.#take(key), `${this.#prefix}${key}`, this.#faults);
  }

  text(key: string): string {
    const value = this.#take(key);
    if (typeof value === "string" && value !== "") return value;
    this.#fault(key, "must be a text that is not empty");
    return "";
  }

  count(key: string): number {
    const value = this.#take(key);
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    this.#fault(key, "must be a whole number above 0");
    return 1;
  }

  positive(key: string): number {
    const value = this.#take(key);
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    this.#fault(key, "must be a number above 0");
    return 1;
  }

  /** False when absent. */
  flag(key: string): boolean {
    const value = this.#take(key);
    if (value === undefined || typeof value === "boolean") return value ?? false;
    this.#fault(key, "must be true or false");
    return false;
  }

  refuseUnread(): void {
    for (const key of Object.keys(this.#values)) {
      if (!this.#read.has(key)) this.#fault(key, "unknown field");
    }
  }

  #take(key: string): unknown {
    this.#read.add(key);
    return this.#values[key];
  }

  #fault(key: string, message: string): void {
    this.#faults.push({ path: `${this.#prefix}${key}`, message });
  }
}
