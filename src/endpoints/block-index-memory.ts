import { RunRecords } from "./run-records.ts";
import { RunTree } from "./run-tree.ts";
import { WordSpace } from "./word-space.ts";

/** What an index has room for. */
export interface IndexShape {
  readonly slots: number;
  /** Different blocks of all slots together. */
  readonly blocks: number;
  readonly blocksPerSlot: number;
  /** Pairs of a slot and a run that it holds; there is a run for each. */
  readonly records: number;
  /** Runs that several slots hold. */
  readonly sets: number;
}

/** What is taken of each part of an index. */
export interface IndexOccupancy {
  readonly blocks: number;
  readonly runs: number;
  readonly records: number;
  readonly sets: number;
}

/** Runs of a large index are this long on average when all its room is used. */
const BLOCKS_PER_RUN = 48;
/** As many runs may be of one block: a small index holds any blocks, however its prompts part. */
const SHORT_RUNS = 2 ** 17;
/** Runs of several holders beside the quarter of all. */
const SETS_AT_LEAST = 2 ** 15;
/** A prompt of 131,072 tokens in blocks of 16. */
const PROMPT_BLOCKS = 8192;
/** Records for cutting a run that is evicted in pieces, and for the anchor of a slot. */
const SPARE_RECORDS = 16;
/** Two words a block must stay within the indexes that typed arrays are fast with. */
const BLOCKS_MAX = 2 ** 28;

/**
 * The shape for so many slots. Runs and sets are fewer than the worst case needs; an index that runs out
 * evicts from slots that hold more than their share.
 */
export function indexShape(slots: number, blocksPerSlot: number): IndexShape {
  const blocks = Math.min(slots * blocksPerSlot, BLOCKS_MAX);
  const held = Math.floor(blocks / slots);
  const runs = Math.ceil(blocks / BLOCKS_PER_RUN) + Math.min(blocks, SHORT_RUNS);
  const reserve = recordReserve({ slots, blocksPerSlot: held });
  const records = runs + slots + reserve;
  return {
    slots,
    blocks,
    blocksPerSlot: held,
    records,
    sets: Math.min(records, Math.ceil(records / 4) + SETS_AT_LEAST + promptBlocks(held)),
  };
}

/** Free records that one prompt may need at most: its runs, and one a slot for a run that it cuts. */
export function recordReserve(
  { slots, blocksPerSlot }: Pick<IndexShape, "slots" | "blocksPerSlot">,
  blocks: number = promptBlocks(blocksPerSlot),
): number {
  return blocks + slots + SPARE_RECORDS;
}

/** Records up to which a slot is never evicted for the sake of others. */
export function recordShare(shape: IndexShape): number {
  const shared = shape.records - shape.slots - recordReserve(shape);
  return Math.max(0, Math.floor(shared / shape.slots));
}

/** Memory of an empty index: zeros behind its shape. Pages that were never written cost nothing. */
export function indexBuffer(shape: IndexShape): ArrayBuffer {
  const buffer = new ArrayBuffer(sizeOf(shape));
  writeShape(buffer, shape);
  return buffer;
}

/** The same for several threads. */
export function sharedIndexBuffer(shape: IndexShape): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(sizeOf(shape));
  writeShape(buffer, shape);
  return buffer;
}

const HEADER_WORDS = 16;
const SLOTS = 0;
const BLOCKS = 1;
const BLOCKS_PER_SLOT = 2;
const RECORDS = 3;
const SETS = 4;
const RETIRED = 5;
const VICTIM = 6;
const CHANGING = 7;

/** The parts of an index in one buffer, seen by one thread. */
export class BlockIndexMemory {
  readonly buffer: ArrayBufferLike;
  readonly shape: IndexShape;
  readonly tree: RunTree;
  readonly records: RunRecords;
  /** Blocks held, by slot. */
  readonly blockCounts: Int32Array;
  readonly #header: Int32Array;

  constructor(buffer: ArrayBufferLike) {
    const header = new Int32Array(buffer, 0, HEADER_WORDS);
    const shape: IndexShape = {
      slots: header[SLOTS] as number,
      blocks: header[BLOCKS] as number,
      blocksPerSlot: header[BLOCKS_PER_SLOT] as number,
      records: header[RECORDS] as number,
      sets: header[SETS] as number,
    };
    const parts = takeParts(new WordSpace(buffer), shape);
    this.buffer = buffer;
    this.shape = shape;
    this.tree = parts.tree;
    this.records = parts.records;
    this.blockCounts = parts.blockCounts;
    this.#header = parts.header;
  }

  /** Whether what was here has moved to a larger buffer. */
  get isRetired(): boolean {
    return this.#header[RETIRED] !== 0;
  }

  /** The slot that was evicted last for the sake of others. */
  get victim(): number {
    return this.#header[VICTIM] as number;
  }

  set victim(slot: number) {
    this.#header[VICTIM] = slot;
  }

  get occupancy(): IndexOccupancy {
    const { tree, records } = this;
    return {
      blocks: tree.arena.liveBlocks,
      runs: tree.runs.liveCount,
      records: records.ids.liveCount,
      sets: tree.sets.ids.liveCount,
    };
  }

  /** Marks the memory until `endChange`: who finds the mark knows that a thread died in between. */
  beginChange(): void {
    this.mend();
    this.#header[CHANGING] = 1;
  }

  endChange(): void {
    this.#header[CHANGING] = 0;
  }

  /** Forgets everything if a thread died while it changed something. */
  mend(): void {
    if (this.#header[CHANGING] !== 0) this.clear();
  }

  clear(): void {
    this.tree.clear();
    this.records.clear();
    this.blockCounts.fill(0);
    this.victim = 0;
    this.endChange();
  }

  /** Takes over all that a smaller memory holds, and retires it. */
  follow(smaller: BlockIndexMemory): void {
    smaller.mend();
    this.tree.follow(smaller.tree);
    this.records.follow(smaller.records);
    this.blockCounts.set(smaller.blockCounts);
    smaller.#header[RETIRED] = 1;
  }
}

function takeParts(space: WordSpace, shape: IndexShape) {
  const { slots, blocks, records, sets } = shape;
  return {
    header: space.take(HEADER_WORDS),
    records: new RunRecords(space, records, slots),
    tree: new RunTree(space, { slots, blocks, runs: records, sets }),
    blockCounts: space.take(slots),
  };
}

function sizeOf(shape: IndexShape): number {
  const space = new WordSpace();
  takeParts(space, shape);
  return space.sizeBytes;
}

function writeShape(buffer: ArrayBufferLike, shape: IndexShape): void {
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  header[SLOTS] = shape.slots;
  header[BLOCKS] = shape.blocks;
  header[BLOCKS_PER_SLOT] = shape.blocksPerSlot;
  header[RECORDS] = shape.records;
  header[SETS] = shape.sets;
}

function promptBlocks(blocksPerSlot: number): number {
  return Math.min(blocksPerSlot, PROMPT_BLOCKS);
}
