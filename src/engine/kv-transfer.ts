import { fullLayers, kvBytesPerTokenLayer, type ModelSpec } from "./model-spec.ts";

/** A path on which KV-cache blocks travel between hosts. */
export interface Link {
  /** What is reached of the line rate. */
  readonly bytesPerSecond: number;
  /** Before the first byte of each transfer. */
  readonly setUpUs: number;
}

/** Links by transport. */
export const LINKS: Readonly<Record<"rdma" | "tcp", Link>> = {
  // 400 Gbit/s at the 97 % that nixlbench reaches between H100 hosts (llm-d, June 2026).
  rdma: { bytesPerSecond: (400e9 / 8) * 0.97, setUpUs: 1000 },
  // UCX over TCP between GPUs of two hosts on 100 GbE (same measurement).
  tcp: { bytesPerSecond: 0.55e9, setUpUs: 5000 },
};

/** Exchange of agent metadata before the first transfer of a pair of engines. */
export const HANDSHAKE_US = 50_000;

/** Time of one transfer that has the link for itself. */
export function transferUs(link: Link, bytes: number): number {
  return link.setUpUs + (bytes / link.bytesPerSecond) * 1e6;
}

/** Bytes of the KV cache of `tokens` tokens; a sliding layer sends its window only. */
export function kvBytes(model: ModelSpec, tokens: number): number {
  const { slidingWindow } = model;
  const windowed =
    slidingWindow === undefined ? 0 : slidingWindow.layers * Math.min(tokens, slidingWindow.tokens);
  return kvBytesPerTokenLayer(model) * (fullLayers(model) * tokens + windowed);
}

/** A network card that carries one transfer after another. */
export class Nic {
  #busyUntilUs = 0;

  /** When the last transfer reserved so far ends. */
  get busyUntilUs(): number {
    return this.#busyUntilUs;
  }

  /** Queues a transfer behind those reserved before; returns when it starts. */
  reserve(nowUs: number, durationUs: number): number {
    const startUs = Math.max(nowUs, this.#busyUntilUs);
    this.#busyUntilUs = startUs + durationUs;
    return startUs;
  }
}
