import type { Transport } from "./service.ts";

/** What decides how KV-cache blocks leave a host. */
export interface TransportFacts {
  /** Value of `UCX_TLS`; undefined when it is not set. */
  readonly ucxTls: string | undefined;
  /** Whether the pool has an `rdma/*` resource. */
  readonly hasRdmaDevice: boolean;
}

/** Finds the transport that UCX would use between hosts; RDMA before sockets. */
export function transportOf({ ucxTls, hasRdmaDevice }: TransportFacts): Transport {
  const list = ucxTls === undefined || ucxTls.trim() === "" ? UCX_DEFAULT : ucxTls.trim();
  const allowed = allowedTransports(list);
  const rdma = RDMA_TRANSPORTS.filter((transport) => allowed.has(transport));
  if (rdma.length > 0 && hasRdmaDevice) return { kind: "rdma", ucxTls: list };
  if (allowed.has("tcp")) return { kind: "tcp", ucxTls: list };
  const reason =
    rdma.length > 0
      ? `UCX_TLS ${list} allows RDMA but no tcp, and the pool has no rdma/* resource`
      : `UCX_TLS ${list} allows no transport between hosts: neither RDMA (rc, ud, dc) nor tcp`;
  return { kind: "none", ucxTls: list, reason };
}

/** UCX without `UCX_TLS` uses everything that it finds. */
const UCX_DEFAULT = "all";
const RDMA_TRANSPORTS = ["rc_v", "rc_x", "ud_v", "ud_x", "dc_x"] as const;

/** Names that UCX takes for transports between hosts (ucx `ucp_context.c`, aliases). */
const TRANSPORTS_BY_NAME: ReadonlyMap<string, readonly string[]> = new Map<
  string,
  readonly string[]
>([
  ["all", [...RDMA_TRANSPORTS, "tcp"]],
  ["ib", RDMA_TRANSPORTS],
  ["rc", ["rc_v", "rc_x"]],
  ["rc_v", ["rc_v"]],
  ["rc_verbs", ["rc_v"]],
  ["rc_x", ["rc_x"]],
  ["rc_mlx5", ["rc_x"]],
  ["ud", ["ud_v", "ud_x"]],
  ["ud_v", ["ud_v"]],
  ["ud_verbs", ["ud_v"]],
  ["ud_x", ["ud_x"]],
  ["ud_mlx5", ["ud_x"]],
  ["dc", ["dc_x"]],
  ["dc_x", ["dc_x"]],
  ["dc_mlx5", ["dc_x"]],
  ["tcp", ["tcp"]],
]);

/** A leading `^` makes the whole list one of exclusions. */
function allowedTransports(list: string): ReadonlySet<string> {
  const isExclusion = list.startsWith("^");
  const names = (isExclusion ? list.slice(1) : list).split(",").map((name) => name.trim());
  const named = new Set(names.flatMap((name) => TRANSPORTS_BY_NAME.get(name) ?? []));
  if (!isExclusion) return named;
  return new Set(TRANSPORTS_BY_NAME.get("all")).difference(named);
}
