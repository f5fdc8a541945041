import type { ConfigFault, SourcePosition } from "../core/config-error.ts";
import { keyPath } from "../plugin/params.ts";

/** A mapping's key or a list's index. */
export type PathKey = string | number;

/** A document that values were read from: it knows positions and collects faults. */
export interface SourceDocument {
  readonly faults: ConfigFault[];
  /**
   * Where a value stands: a mapping's entry at its key, a list's item at its start, else what
   * encloses it.
   */
  positionOf(path: readonly PathKey[]): SourcePosition;
  /** Reads the text of the scalar at `path` from `skipCount` on as documents of their own. */
  readEmbedded(path: readonly PathKey[], text: string, skipCount: number): readonly SourceNode[];
}

/**
 * A value of a file with the place it came from; a read that fails records a fault and gives
 * undefined.
 */
export class SourceNode {
  readonly #document: SourceDocument;
  readonly path: readonly PathKey[];
  readonly value: unknown;

  constructor(document: SourceDocument, path: readonly PathKey[], value: unknown) {
    this.#document = document;
    this.path = path;
    this.value = value;
  }

  get position(): SourcePosition {
    return this.#document.positionOf(this.path);
  }

  /** Position of a value below this one. */
  positionOf(path: readonly PathKey[]): SourcePosition {
    return this.#document.positionOf([...this.path, ...path]);
  }

  /** Records that this value cannot be used. */
  fault(message: string, allowed?: readonly string[]): void {
    this.faultAt([], message, allowed);
  }

  /** Records a fault of a value below this one, which may be absent. */
  faultAt(path: readonly PathKey[], message: string, allowed?: readonly string[]): void {
    this.#document.faults.push({
      path: keyPath([...this.path, ...path]),
      message,
      ...(allowed === undefined ? {} : { allowed }),
      position: this.positionOf(path),
    });
  }

  /** The value at a path below, undefined when something on the way is absent or null. */
  at(...path: readonly PathKey[]): SourceNode | undefined {
    let value: unknown = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key))
        return undefined;
      value = (value as Readonly<Record<PathKey, unknown>>)[key];
    }
    return value === undefined || value === null
      ? undefined
      : new SourceNode(this.#document, [...this.path, ...path], value);
  }

  /** Entries of a mapping, null ones left out; keys other than the allowed ones are faults. */
  entries(allowed?: readonly string[]): ReadonlyMap<string, SourceNode> | undefined {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.fault(`must be a mapping, not ${kindOf(value)}`);
      return undefined;
    }
    const entries = new Map<string, SourceNode>();
    for (const key of Object.keys(value)) {
      if (allowed !== undefined && !allowed.includes(key)) {
        this.faultAt([key], "unknown field", allowed);
        continue;
      }
      const entry = this.at(key);
      if (entry !== undefined) entries.set(key, entry);
    }
    return entries;
  }

  /** Items of a list; null items are kept, for they are somebody's mistake. */
  items(): readonly SourceNode[] {
    const { value } = this;
    if (!Array.isArray(value)) {
      this.fault(`must be a list, not ${kindOf(value)}`);
      return [];
    }
    return value.map(
      (item: unknown, index) => new SourceNode(this.#document, [...this.path, index], item),
    );
  }

  /** A string that is not empty. */
  text(): string | undefined {
    if (typeof this.value === "string" && this.value !== "") return this.value;
    const isScalar = typeof this.value === "number" || typeof this.value === "boolean";
    this.fault(
      isScalar
        ? `must be a string: write "${String(this.value)}" in quotes`
        : `must be a string, not ${kindOf(this.value)}`,
    );
    return undefined;
  }

  /** An integer not below `least`. */
  integer(least: number): number | undefined {
    const { value } = this;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    this.fault(`must be an integer of at least ${least}`);
    return undefined;
  }

  /**
   * Documents in the text of this scalar from `skipCount` on, at their positions in the outer
   * file.
   */
  embedded(text: string, skipCount: number): readonly SourceNode[] {
    return this.#document.readEmbedded(this.path, text, skipCount);
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (value === "") return "an empty string";
  return typeof value === "object" ? "a mapping" : `a ${typeof value}`;
}
