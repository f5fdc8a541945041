import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";
import { MsgpackFault, MsgpackReader } from "./msgpack-reader.ts";

/** What a payload of an engine's KV-event socket says. */
export type KvFrame =
  | {
      readonly kind: "events";
      readonly events: readonly KvEvent[];
      /** Events of other memory than the GPU's, of caches that are no prefix cache, or of an unknown kind. */
      readonly ignoredCount: number;
      /** Events that are not as their kind must be; they are left out. */
      readonly faultyCount: number;
    }
  /** Nothing of it can be used. */
  | { readonly kind: "malformed"; readonly reason: string };

/** Longest payload that is read. vLLM has one message a step, and a step some tokens more than `max-num-batched-tokens`. */
export const FRAME_BYTES_MAX: number = 16 * 1024 * 1024;
const EVENTS_MAX = 65_536;
const HASHES_MAX = 65_536;
const BLOCK_TOKENS_MAX = 65_536;
const HASH_BYTES_MAX = 64;
const TEXT_BYTES_MAX = 1024;

/** Caches whose blocks serve any prompt that begins with their tokens (vLLM `KVCacheSpecKind`). */
const PREFIX_CACHES: ReadonlySet<string> = new Set([
  "full_attention",
  "mla_attention",
  "sink_full_attention",
]);

/** Order of the fields behind the tag where events are arrays (vLLM); missing ones at the end are unset. */
const STORED_FIELDS = [
  "block_hashes",
  "parent_block_hash",
  "token_ids",
  "block_size",
  "lora_id",
  "medium",
  "lora_name",
  "extra_keys",
  "group_idx",
  "kv_cache_spec_kind",
] as const;
const REMOVED_FIELDS = ["block_hashes", "medium", "group_idx"] as const;
const FIELDS_BY_TAG: Readonly<Record<string, readonly string[]>> = {
  BlockStored: STORED_FIELDS,
  BlockRemoved: REMOVED_FIELDS,
};

/** Fields of one event, as far as anything here reads them. */
interface Fields {
  hashes?: readonly EngineBlockHash[];
  parent?: EngineBlockHash;
  tokens?: Uint32Array;
  blockTokens?: number;
  medium?: string;
  loraName?: string;
  /** Whether there is an adapter, named or not. */
  hasLora?: boolean;
  cacheSalt?: string;
  /** For each block the texts of its extra keys; undefined where there is something else, such as an image. */
  extraKeys?: readonly (readonly string[] | undefined)[];
  group?: number;
  cacheKind?: string;
}

/**
 * Decodes what vLLM and SGLang publish, events as arrays or as maps. One for each stream: which of an
 * engine's caches are prefix caches is said with stored blocks only. Never throws.
 */
export class KvFrameDecoder {
  readonly #otherGroups = new Set<number>();

  decode(payload: Uint8Array): KvFrame {
    if (payload.length > FRAME_BYTES_MAX) {
      return { kind: "malformed", reason: `longer than ${FRAME_BYTES_MAX} bytes` };
    }
    try {
      return this.#batch(new MsgpackReader(payload));
    } catch (error) {
      if (!(error instanceof MsgpackFault)) throw error;
      return { kind: "malformed", reason: error.message };
    }
  }

  #batch(reader: MsgpackReader): KvFrame {
    let frame: KvFrame | undefined;
    if (reader.kind() === "map") {
      for (let pairs = reader.map(); pairs > 0; pairs--) {
        if (reader.text(TEXT_BYTES_MAX) === "events") frame = this.#events(reader);
        else reader.skip();
      }
    } else {
      const count = reader.array();
      for (let index = 0; index < count; index++) {
        // [time, events, data-parallel rank]
        if (index === 1) frame = this.#events(reader);
        else reader.skip();
      }
    }
    if (frame === undefined) throw new MsgpackFault("no events");
    if (!reader.isAtEnd) throw new MsgpackFault("bytes behind the batch");
    return frame;
  }

  #events(reader: MsgpackReader): KvFrame {
    const count = reader.array();
    if (count > EVENTS_MAX) throw new MsgpackFault(`more than ${EVENTS_MAX} events`);
    const events: KvEvent[] = [];
    let ignoredCount = 0;
    let faultyCount = 0;
    for (let i = 0; i < count; i++) {
      const read = reader.attempt(() => readEvent(reader));
      const event = read === undefined ? "faulty" : this.#event(read.tag, read.fields);
      if (event === "ignored") ignoredCount++;
      else if (event === "faulty") faultyCount++;
      else events.push(event);
    }
    return { kind: "events", events, ignoredCount, faultyCount };
  }

  #event(tag: string, fields: Fields): KvEvent | "ignored" | "faulty" {
    if (tag === "AllBlocksCleared") return { kind: "cleared" };
    if (tag !== "BlockStored" && tag !== "BlockRemoved") return "ignored";
    if (fields.medium !== undefined && !MEDIA.has(fields.medium)) return "ignored";
    const { group } = fields;
    if (fields.cacheKind !== undefined && !PREFIX_CACHES.has(fields.cacheKind)) {
      if (group !== undefined) this.#otherGroups.add(group);
      return "ignored";
    }
    if (group !== undefined && this.#otherGroups.has(group)) return "ignored";
    if (fields.hashes === undefined) return "faulty";
    if (tag === "BlockRemoved") {
      return { kind: "removed", blockHashes: fields.hashes, ...mediumOf(fields) };
    }
    return storedEvent(fields, fields.hashes);
  }
}

/** Media that count; without one a block is in the GPU's memory, and vLLM 0.9 has no other. */
const MEDIA: ReadonlySet<string> = new Set(["GPU", "CPU"]);

function mediumOf({ medium }: Fields): { readonly medium?: string } {
  return medium === undefined || medium === "GPU" ? {} : { medium };
}

function storedEvent(
  fields: Fields,
  hashes: readonly EngineBlockHash[],
): KvEvent | "ignored" | "faulty" {
  const { tokens, blockTokens = 0, parent, loraName, extraKeys = [] } = fields;
  if (fields.medium === "CPU" && (tokens === undefined || tokens.length === 0)) {
    const moved = { blockHashes: hashes, parentHash: parent, tokenIds: new Uint32Array(0) };
    return { kind: "stored", ...moved, blockTokens, ...mediumOf(fields) };
  }
  if (tokens === undefined || blockTokens === 0) return "faulty";
  if (tokens.length !== hashes.length * blockTokens) return "faulty";
  // Old releases give an adapter a number and no name, which says nothing of which one it is.
  if (fields.hasLora === true && loraName === undefined) return "ignored";
  const isFirst = parent === undefined;
  const texts = extraKeys.map((keys) =>
    loraName !== undefined && keys?.[0] === loraName ? keys.slice(1) : keys,
  );
  // A block with an image in it is not found by its tokens alone, nor is what follows it.
  const foreign = texts.findIndex((rest, block) => {
    const textsMax = isFirst && block === 0 ? 1 : 0;
    return rest === undefined || rest.length > textsMax;
  });
  const usable = foreign < 0 ? hashes.length : Math.min(foreign, hashes.length);
  if (usable === 0) return "ignored";
  const cacheSalt = isFirst ? (fields.cacheSalt ?? texts[0]?.[0]) : undefined;
  return {
    kind: "stored",
    blockHashes: usable === hashes.length ? hashes : hashes.slice(0, usable),
    parentHash: parent,
    tokenIds: usable === hashes.length ? tokens : tokens.slice(0, usable * blockTokens),
    blockTokens,
    ...mediumOf(fields),
    ...(loraName !== undefined && { loraName }),
    ...(cacheSalt !== undefined && { cacheSalt }),
  };
}

function readEvent(reader: MsgpackReader): { tag: string; fields: Fields } {
  const fields: Fields = {};
  if (reader.kind() === "map") {
    let tag = "";
    for (let pairs = reader.map(); pairs > 0; pairs--) {
      const name = reader.text(TEXT_BYTES_MAX);
      if (name === "type") tag = reader.text(TEXT_BYTES_MAX);
      else readField(reader, name, fields);
    }
    return { tag, fields };
  }
  const count = reader.array();
  if (count === 0) throw new MsgpackFault("an event without a tag");
  const tag = reader.text(TEXT_BYTES_MAX);
  const names = FIELDS_BY_TAG[tag] ?? [];
  for (let index = 0; index < count - 1; index++) readField(reader, names[index] ?? "", fields);
  return { tag, fields };
}

/** A field that is nil is as one that is not there. */
function readField(reader: MsgpackReader, name: string, fields: Fields): void {
  if (reader.nil()) return;
  switch (name) {
    case "block_hashes":
      fields.hashes = readHashes(reader);
      break;
    case "parent_block_hash":
      fields.parent = readHash(reader);
      break;
    case "token_ids":
      fields.tokens = readTokens(reader);
      break;
    case "block_size":
      fields.blockTokens = readCount(reader, BLOCK_TOKENS_MAX);
      break;
    case "group_idx":
      fields.group = readCount(reader, EVENTS_MAX);
      break;
    case "medium":
      fields.medium = reader.text(TEXT_BYTES_MAX);
      break;
    case "lora_id":
      fields.hasLora = true;
      reader.skip();
      break;
    case "lora_name":
      fields.loraName = reader.text(TEXT_BYTES_MAX);
      break;
    case "cache_salt":
      fields.cacheSalt = reader.text(TEXT_BYTES_MAX);
      break;
    case "kv_cache_spec_kind":
      fields.cacheKind = reader.text(TEXT_BYTES_MAX);
      break;
    case "extra_keys":
      readExtraKeys(reader, fields);
      break;
    default:
      reader.skip();
  }
}

function readHashes(reader: MsgpackReader): readonly EngineBlockHash[] {
  const count = reader.array();
  if (count > HASHES_MAX) throw new MsgpackFault(`more than ${HASHES_MAX} hashes in an event`);
  const hashes = new Array<EngineBlockHash>(count);
  for (let i = 0; i < count; i++) hashes[i] = readHash(reader);
  return hashes;
}

/** A digest as a string with a byte in each character, or a number of 64 bits. */
function readHash(reader: MsgpackReader): EngineBlockHash {
  if (reader.kind() !== "bin") return reader.int();
  const digest = reader.bin(HASH_BYTES_MAX);
  if (digest.length === 0) throw new MsgpackFault("a hash without bytes");
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("latin1");
}

function readTokens(reader: MsgpackReader): Uint32Array {
  const tokens = new Uint32Array(reader.array());
  for (let i = 0; i < tokens.length; i++) {
    if (reader.kind() === "array") {
      // SGLang with EAGLE hashes pairs of neighbours; the first of each is the block's own token.
      const size = reader.array();
      if (size !== 2) throw new MsgpackFault("a token that is no number");
      tokens[i] = readCount(reader, 0xffffffff);
      reader.skip();
    } else {
      tokens[i] = readCount(reader, 0xffffffff);
    }
  }
  return tokens;
}

function readCount(reader: MsgpackReader, most: number): number {
  const count = reader.int();
  if (typeof count !== "number" || count < 0 || count > most) {
    throw new MsgpackFault(`a number beyond 0 to ${most}`);
  }
  return count;
}

/** SGLang has something else in this place of the array. */
function readExtraKeys(reader: MsgpackReader, fields: Fields): void {
  if (reader.kind() !== "array") {
    reader.skip();
    return;
  }
  const count = reader.array();
  if (count > HASHES_MAX) throw new MsgpackFault(`more than ${HASHES_MAX} extra keys`);
  const extraKeys: (readonly string[] | undefined)[] = [];
  for (let i = 0; i < count; i++) extraKeys.push(reader.nil() ? [] : readTexts(reader));
  fields.extraKeys = extraKeys;
}

function readTexts(reader: MsgpackReader): readonly string[] | undefined {
  const texts: string[] = [];
  let isText = true;
  for (let left = reader.array(); left > 0; left--) {
    if (reader.kind() === "text") texts.push(reader.text(TEXT_BYTES_MAX));
    else {
      isText = false;
      reader.skip();
    }
  }
  return isText ? texts : undefined;
}
