import { type EndpointId, endpointId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type {
  EndpointChange,
  EndpointSpec,
  EndpointTable,
  Labels,
  LoraState,
} from "./endpoint-table.ts";
import type { NumericAttribute } from "./numeric-attribute.ts";
import { PoolMemory } from "./pool-memory.ts";

/** What a change did; undefined when there was nothing to do. `full`: no slot is left in shared memory. */
export type StoreChange =
  | { readonly kind: "added" | "removed" | "updated" | "full"; readonly slot: number }
  | undefined;

interface Row {
  id: EndpointId;
  address: string;
  labels: Labels;
  /** Generation of the slot that the row speaks of: another one is an endpoint that is not known here. */
  generation: number;
  lora: LoraState | undefined;
}

/**
 * The pool's endpoints: the table that a cycle reads and the few writes that change it. Names are each
 * thread's own, figures are in memory that threads may share.
 */
export class EndpointStore implements EndpointTable {
  readonly #rows: Row[] = [];
  readonly #slotById = new Map<EndpointId, number>();
  readonly #freeSlots: number[] = [];
  /**
   * Generation of the endpoint that the slot holds, 0 for none. A column, because 1000 rows that no cache
   * holds take 20 us to scan and this takes 5.
   */
  #present = new Int32Array(16);
  #ids: readonly EndpointId[] | undefined;
  readonly memory: PoolMemory;

  constructor(memory: PoolMemory = new PoolMemory()) {
    this.memory = memory;
  }

  get slotCount(): number {
    return this.#rows.length;
  }

  isPresent(slot: number): boolean {
    invariant(slot >= 0 && slot < this.#rows.length, `no slot ${slot}`);
    return this.#present[slot] !== 0;
  }

  isReady(slot: number): boolean {
    const { ready, generations } = this.memory;
    return this.isPresent(slot) && ready[slot] === 1 && generations[slot] === this.#present[slot];
  }

  get ids(): readonly EndpointId[] {
    this.#ids ??= this.#rows.map((row) => row.id);
    return this.#ids;
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
    return this.memory.column(attribute);
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
      this.#ids = undefined;
      return { kind: "updated", slot: known };
    }
    const slot = this.#freeSlots.pop() ?? this.#rows.length;
    const memory = this.memory;
    if (!memory.reachSlots(slot + 1)) return { kind: "full", slot };
    const generation = (memory.generations[slot] as number) + 1;
    memory.ready[slot] = 0;
    memory.generations[slot] = generation;
    memory.forget(slot);
    this.place(slot, generation, change.endpoint);
    return { kind: "added", slot };
  }

  /** Puts down which endpoint the slot's owner gave it to; undefined: to none. */
  place(slot: number, generation: number, endpoint: EndpointSpec | undefined): void {
    while (this.#rows.length <= slot) this.#rows.push(emptyRow());
    if (slot >= this.#present.length) this.#growPresent();
    const row = this.#row(slot);
    if (this.#slotById.get(row.id) === slot) this.#slotById.delete(row.id);
    if (row.generation !== generation) row.lora = undefined;
    row.generation = generation;
    this.#present[slot] = endpoint === undefined ? 0 : generation;
    this.#ids = undefined;
    if (endpoint === undefined) return;
    const { id, address, labels } = endpoint;
    Object.assign(row, { id, address, labels });
    this.#slotById.set(id, slot);
  }

  /** Returns whether the state changed. */
  setReady(slot: number, isReady: boolean): boolean {
    if (!this.isPresent(slot) || this.isReady(slot) === isReady) return false;
    this.memory.ready[slot] = isReady ? 1 : 0;
    return true;
  }

  /** Writes the slots of all ready endpoints and returns how many there are. */
  readySlots(slots: Int32Array): number {
    const { ready, generations } = this.memory;
    const present = this.#present;
    const slotCount = this.#rows.length;
    let count = 0;
    for (let slot = 0; slot < slotCount; slot++) {
      // Generations begin at 1, so the slot that holds nobody differs here.
      if (ready[slot] === 1 && generations[slot] === present[slot]) slots[count++] = slot;
    }
    return count;
  }

  #remove(id: EndpointId): StoreChange {
    const slot = this.#slotById.get(id);
    if (slot === undefined) return undefined;
    this.#slotById.delete(id);
    this.#present[slot] = 0;
    this.memory.ready[slot] = 0;
    this.#freeSlots.push(slot);
    return { kind: "removed", slot };
  }

  #growPresent(): void {
    const wider = new Int32Array(2 * this.#rows.length);
    wider.set(this.#present);
    this.#present = wider;
  }

  #row(slot: number): Row {
    const row = this.#rows[slot];
    invariant(row !== undefined, `no slot ${slot}`);
    return row;
  }
}

function emptyRow(): Row {
  return {
    id: endpointId(""),
    address: "",
    labels: {},
    generation: 0,
    lora: undefined,
  };
}
