import { type EndpointId, endpointId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { EndpointChange, EndpointTable, Labels, LoraState } from "./endpoint-table.ts";
import { NUMERIC_ATTRIBUTES, type NumericAttribute } from "./numeric-attribute.ts";

/** What a change did; undefined when there was nothing to do. */
export type StoreChange =
  | { readonly kind: "added" | "removed" | "updated"; readonly slot: number }
  | undefined;

interface Row {
  id: EndpointId;
  address: string;
  labels: Labels;
  generation: number;
  isPresent: boolean;
  isReady: boolean;
  lora: LoraState | undefined;
}

const SLOTS_AT_START = 16;

/** The pool's endpoints: the table that a cycle reads and the few writes that change it. */
export class EndpointStore implements EndpointTable {
  readonly #rows: Row[] = [];
  readonly #slotById = new Map<EndpointId, number>();
  readonly #freeSlots: number[] = [];
  readonly #columns = new Map<NumericAttribute, Float64Array>();
  #capacity = SLOTS_AT_START;

  constructor() {
    for (const attribute of NUMERIC_ATTRIBUTES) {
      this.#columns.set(attribute, new Float64Array(this.#capacity).fill(Number.NaN));
    }
  }

  get slotCount(): number {
    return this.#rows.length;
  }

  isPresent(slot: number): boolean {
    return this.#row(slot).isPresent;
  }

  isReady(slot: number): boolean {
    return this.#row(slot).isReady;
  }

  id(slot: number): EndpointId {
    return this.#row(slot).id;
  }

  address(slot: number): string {
    return this.#row(slot).address;
  }

  labels(slot: number): Labels {
    return this.#row(slot).labels;
  }

  generation(slot: number): number {
    return this.#row(slot).generation;
  }

  lora(slot: number): LoraState | undefined {
    return this.#row(slot).lora;
  }

  setLora(slot: number, lora: LoraState): void {
    this.#row(slot).lora = lora;
  }

  column(attribute: NumericAttribute): Float64Array {
    const column = this.#columns.get(attribute);
    invariant(column !== undefined, `no column ${attribute.name}`);
    return column;
  }

  slotOf(id: EndpointId): number | undefined {
    return this.#slotById.get(id);
  }

  /** Adds, updates or removes an endpoint. An added one is unknown in every column and not ready. */
  apply(change: EndpointChange): StoreChange {
    if (change.kind === "removed") return this.#remove(change.id);
    const { id, address, labels } = change.endpoint;
    const known = this.#slotById.get(id);
    if (known !== undefined) {
      const row = this.#row(known);
      row.address = address;
      row.labels = labels;
      return { kind: "updated", slot: known };
    }
    const slot = this.#freeSlots.pop() ?? this.#newSlot();
    const row = this.#row(slot);
    Object.assign(row, { id, address, labels, isPresent: true, isReady: false, lora: undefined });
    row.generation++;
    for (const column of this.#columns.values()) column[slot] = Number.NaN;
    this.#slotById.set(id, slot);
    return { kind: "added", slot };
  }

  /** Returns whether the state changed. */
  setReady(slot: number, isReady: boolean): boolean {
    const row = this.#row(slot);
    if (!row.isPresent || row.isReady === isReady) return false;
    row.isReady = isReady;
    return true;
  }

  /** Writes the slots of all ready endpoints and returns how many there are. */
  readySlots(slots: Int32Array): number {
    let count = 0;
    for (let slot = 0; slot < this.#rows.length; slot++) {
      const row = this.#rows[slot] as Row;
      if (row.isPresent && row.isReady) slots[count++] = slot;
    }
    return count;
  }

  #remove(id: EndpointId): StoreChange {
    const slot = this.#slotById.get(id);
    if (slot === undefined) return undefined;
    this.#slotById.delete(id);
    const row = this.#row(slot);
    row.isPresent = false;
    row.isReady = false;
    this.#freeSlots.push(slot);
    return { kind: "removed", slot };
  }

  #newSlot(): number {
    const slot = this.#rows.length;
    this.#rows.push({
      id: endpointId(""),
      address: "",
      labels: {},
      generation: 0,
      isPresent: false,
      isReady: false,
      lora: undefined,
    });
    if (slot >= this.#capacity) this.#grow();
    return slot;
  }

  #grow(): void {
    this.#capacity *= 2;
    for (const [attribute, column] of this.#columns) {
      const wider = new Float64Array(this.#capacity).fill(Number.NaN);
      wider.set(column);
      this.#columns.set(attribute, wider);
    }
  }

  #row(slot: number): Row {
    const row = this.#rows[slot];
    invariant(row !== undefined, `no slot ${slot}`);
    return row;
  }
}
