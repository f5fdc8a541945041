import type { ServerResponse } from "node:http";
import { ClientSide } from "../dispatch/client-side.ts";

/** A client that does not take the end of an answer for so long is gone; wall milliseconds. */
export const SIDECAR_STALL_MS = 120_000;

/** Answers with an error of the sidecar's own. */
export function refuse(
  response: ServerResponse,
  status: number,
  type: string,
  message: string,
): void {
  const client = new ClientSide(response, { left: () => undefined, drained: () => undefined });
  client.release();
  const code = status < 500 ? null : type;
  if (!client.isGone) client.answer({ status, type, code, message }, [], SIDECAR_STALL_MS);
}
