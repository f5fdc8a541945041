/** One message of an engine's KV-event socket. */
export interface KvMessage {
  /** Counts an engine's messages from 0. */
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** vLLM ends a replay with the sequence number -1. */
const END = 2n ** 64n - 1n;

/**
 * Reads the frames [topic, sequence number as 8 bytes big-endian, payload]; a replay may have an empty one
 * in front. Undefined for anything else.
 */
export function readKvMessage(frames: readonly Buffer[]): KvMessage | "end" | undefined {
  const sequenceFrame = frames.at(-2);
  const payload = frames.at(-1);
  if (frames.length < 3 || frames.length > 4) return undefined;
  if (payload === undefined || sequenceFrame?.length !== 8) return undefined;
  const sequence = sequenceFrame.readBigUInt64BE();
  if (sequence === END) return "end";
  if (sequence > Number.MAX_SAFE_INTEGER) return undefined;
  return { sequence: Number(sequence), payload };
}
