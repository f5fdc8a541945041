import { HANDSHAKE_US, kvBytes, LINKS, type Link, transferUs } from "../engine/kv-transfer.ts";
import type { KvWish, SimulatedEngine } from "./simulated-engine.ts";

/** How a transfer will go: when the blocks are there, or that they never will be. */
export type KvLoadPlan =
  | { readonly kind: "arrives"; readonly atUs: number; readonly bytes: number }
  | { readonly kind: "fails" };

/**
 * Plans the transfer that `reader` wishes for, as the live engines agree on it: the holder must still have
 * the blocks, a pair's first transfer waits for the handshake, and both cards carry one at a time.
 */
export function planKvLoad(
  wish: KvWish,
  reader: SimulatedEngine,
  holder: SimulatedEngine,
  nowUs: number,
): KvLoadPlan {
  const readerLink = linkOf(reader);
  const holderLink = linkOf(holder);
  const held = holder.core.kvHeld(wish.handle, nowUs);
  if (held === undefined || held.tokenCount < wish.tokenCount) return { kind: "fails" };
  if (readerLink === undefined || holderLink === undefined) return { kind: "fails" };
  const bytes = kvBytes(reader.spec.config.model, wish.tokenCount);
  const holderUs = transferUs(holderLink, bytes);
  const durationUs = Math.max(transferUs(readerLink, bytes), holderUs);
  const readyUs = Math.max(wish.atUs, handshakeDoneUs(reader, holder, wish.atUs));
  const holderWaitUs = holder.nic.reserve(nowUs, holderUs) - nowUs;
  const startUs = Math.max(reader.nic.reserve(readyUs, durationUs), readyUs + holderWaitUs);
  return { kind: "arrives", atUs: Math.ceil(startUs + durationUs), bytes };
}

function linkOf({ spec: { link } }: SimulatedEngine): Link | undefined {
  if (link.kind === "none") return undefined;
  const usual = LINKS[link.kind];
  return { ...usual, bytesPerSecond: link.bytesPerSecond ?? usual.bytesPerSecond };
}

function handshakeDoneUs(reader: SimulatedEngine, holder: SimulatedEngine, atUs: number): number {
  const known = reader.handshakesUs.get(holder);
  if (known !== undefined) return known;
  const doneUs = atUs + HANDSHAKE_US;
  reader.handshakesUs.set(holder, doneUs);
  return doneUs;
}
