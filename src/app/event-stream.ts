import type { ServerResponse } from "node:http";
import type { Json } from "../core/json.ts";

/** Readers of `/api/events` at once. */
const READERS_MAX = 64;
/** Bytes that a reader may fall behind before it is cut off. */
const BEHIND_BYTES_MAX = 1024 * 1024;

/** Sends what happens to everybody who listens, as server-sent events. */
export class EventStream {
  readonly #readers = new Set<ServerResponse>();
  /** Called when the first reader comes and when the last one has left. */
  onWatched: ((isWatched: boolean) => void) | undefined;

  /** Takes the response over; false when there are too many readers already. */
  add(response: ServerResponse): boolean {
    if (this.#readers.size >= READERS_MAX) return false;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    response.write(": events of this router\n\n");
    this.#readers.add(response);
    if (this.#readers.size === 1) this.onWatched?.(true);
    response.on("close", () => {
      this.#readers.delete(response);
      if (!this.hasReaders) this.onWatched?.(false);
    });
    return true;
  }

  /** Whether anybody listens; without readers nothing need be made for them. */
  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  publish(event: string, fields: Json): void {
    if (!this.hasReaders) return;
    const message = `event: ${event}\ndata: ${JSON.stringify(fields)}\n\n`;
    for (const reader of this.#readers) {
      reader.write(message);
      if (reader.writableLength > BEHIND_BYTES_MAX) reader.destroy();
    }
  }

  close(): void {
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }
}
