import type { RequestListener } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { KvHandle } from "../engine/engine-core.ts";
import { type Nic, transferUs } from "../engine/kv-transfer.ts";
import { sendJson } from "./api-fault.ts";
import { type KvLink, linkOf } from "./kv-link.ts";
import type { RealTimeDriver } from "./real-time-driver.ts";

/** What a holder answers to `GET /kv/<remote_request_id>?bytes=<n>`; times are engine microseconds. */
export interface KvOffer {
  readonly engineId: string;
  readonly tokenCount: number;
  readonly blockCount: number;
  /** Until the holder's card is free for this transfer, which is reserved from then on. */
  readonly waitUs: number;
  /** How long the bytes take by the holder's link. */
  readonly transferUs: number;
}

/** What the side channel shares with the engine it belongs to. */
export interface SideChannelParts {
  readonly engineId: string;
  readonly driver: RealTimeDriver;
  readonly clock: Clock;
  readonly link: KvLink;
  readonly nic: Nic;
}

/**
 * Serves the holder's side of transfers: `GET` offers blocks and reserves the card, `DELETE` frees them.
 * A `GET` without bytes reserves nothing. It stands for the ZMQ side channel of vLLM's NixlConnector.
 */
export function kvSideChannel(parts: SideChannelParts): RequestListener {
  return (request, response) => {
    request.resume();
    const url = URL.parse(request.url ?? "", "http://side-channel");
    const handle = handleIn(url?.pathname ?? "");
    if (url === null || handle === undefined) {
      sendJson(response, 404, { error: "no such path" });
    } else if (request.method === "GET") {
      const offer = offerOf(parts, handle, Number(url.searchParams.get("bytes") ?? 0));
      if (typeof offer === "string") sendJson(response, 409, { error: offer });
      else sendJson(response, 200, offer);
    } else if (request.method === "DELETE") {
      const isReleased = parts.driver.kvReleased(handle);
      response.writeHead(isReleased ? 204 : 404).end();
    } else {
      sendJson(response, 405, { error: "use GET or DELETE" });
    }
  };
}

function handleIn(path: string): KvHandle | undefined {
  const [, encoded] = /^\/kv\/([^/]+)$/.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded) as KvHandle;
  } catch {
    // A broken escape names nothing.
    return undefined;
  }
}

function offerOf(parts: SideChannelParts, handle: KvHandle, bytes: number): KvOffer | string {
  const { engineId, driver, clock, nic } = parts;
  const held = driver.kvHeld(handle);
  if (held === undefined) return "the blocks are unknown or expired";
  const { tokenCount, blockCount } = held;
  const facts = { engineId, tokenCount, blockCount };
  if (!(bytes > 0)) return { ...facts, waitUs: 0, transferUs: 0 };
  const link = linkOf(parts.link);
  if (typeof link === "string") return `the holder has no transport: ${link}`;
  const nowUs = clock.nowMs() * 1000;
  const durationUs = transferUs(link, bytes);
  const waitUs = nic.reserve(nowUs, durationUs) - nowUs;
  return { ...facts, waitUs, transferUs: durationUs };
}
