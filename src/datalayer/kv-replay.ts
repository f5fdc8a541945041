import { Dealer } from "zeromq";
import { FRAME_BYTES_MAX } from "./kv-event-frame.ts";
import { type KvMessage, readKvMessage } from "./kv-message.ts";

/** Wall milliseconds between two messages of an answer. */
const PAUSE_MS_MAX = 2000;

/** Wall milliseconds of a whole replay. */
const REPLAY_MS_MAX = 30_000;

/** Bytes of a whole replay; vLLM keeps 10,000 messages, each of some kilobytes. */
const REPLAY_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Asks an engine's replay socket (ROUTER) for its messages from `from` on. Throws when it does not answer
 * or sends too much; ends the connection whichever way the loop over it ends.
 */
export async function* replayMessages(
  address: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<KvMessage> {
  signal.throwIfAborted();
  const socket = new Dealer({
    ipv6: true,
    linger: 0,
    maxMessageSize: FRAME_BYTES_MAX,
    sendTimeout: PAUSE_MS_MAX,
    receiveTimeout: PAUSE_MS_MAX,
    connectTimeout: PAUSE_MS_MAX,
  });
  const close = (): void => socket.close();
  signal.addEventListener("abort", close);
  try {
    socket.connect(address);
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(BigInt(from));
    await socket.send(["", start]);
    const endMs = performance.now() + REPLAY_MS_MAX;
    let sizeBytes = 0;
    for (;;) {
      const message = readKvMessage(await socket.receive());
      if (message === undefined) throw new Error("not a replay of KV events");
      if (message === "end") return;
      sizeBytes += message.payload.length;
      if (sizeBytes > REPLAY_BYTES_MAX) throw new Error(`more than ${REPLAY_BYTES_MAX} bytes`);
      if (performance.now() > endMs) throw new Error(`not done after ${REPLAY_MS_MAX} ms`);
      yield message;
    }
  } finally {
    signal.removeEventListener("abort", close);
    if (!socket.closed) socket.close();
  }
}
