import { LINKS, type Link } from "../engine/kv-transfer.ts";

/** How KV-cache blocks can leave this engine's host. */
export type KvLink =
  | { readonly kind: "rdma" }
  | { readonly kind: "tcp" }
  /** No usable transport: every transfer fails with the reason. */
  | { readonly kind: "none"; readonly reason: string };

/** The link's speed, or why there is none. */
export function linkOf(link: KvLink): Link | string {
  return link.kind === "none" ? link.reason : LINKS[link.kind];
}
