import { randomInt } from "node:crypto";
import { readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";
import type { Connector } from "./connector.ts";

/** Port of SGLang's bootstrap server on a prefill host, unless set. */
export const SGLANG_BOOTSTRAP_PORT = 8998;

const NANOSECONDS_A_MILLISECOND = 1_000_000;

/** SGLang: both engines get the request at once and meet in a room of the prefill host. */
export function sglang(bootstrapPort: number): Connector {
  return {
    split({ body }) {
      const object = readJsonMembers(body);
      if (object === undefined) return undefined;
      return {
        kind: "concurrent",
        local: body,
        pair(prefillAddress) {
          const host = prefillAddress.slice(0, prefillAddress.lastIndexOf(":"));
          const members = new Map([
            ["bootstrap_host", JSON.stringify(host.replace(/^\[|\]$/g, ""))],
            ["bootstrap_port", String(bootstrapPort)],
            ["bootstrap_room", roomNumber()],
          ]);
          return applyEdits(body, editMembers(object, members));
        },
      };
    },
  };
}

/** Nanoseconds since 1970, the digits below the clock's drawn; above 2^53, so never a number here. */
function roomNumber(): string {
  const nanoseconds = BigInt(Date.now()) * BigInt(NANOSECONDS_A_MILLISECOND);
  return String(nanoseconds + BigInt(randomInt(NANOSECONDS_A_MILLISECOND)));
}
