import type { Connector } from "./connector.ts";
import { lmcache } from "./lmcache.ts";
import { nixlv2 } from "./nixlv2.ts";
import { sglang } from "./sglang.ts";
import { sharedStorage } from "./shared-storage.ts";

/** Names of the connectors, as llm-d's sidecar takes them; `lmcache` is of its first releases. */
export const CONNECTOR_NAMES = ["nixlv2", "shared-storage", "sglang", "lmcache"] as const;
export type ConnectorName = (typeof CONNECTOR_NAMES)[number];

/** The connector of a name; only SGLang's has a port. */
export function namedConnector(name: ConnectorName, sglangBootstrapPort: number): Connector {
  switch (name) {
    case "nixlv2":
      return nixlv2;
    case "shared-storage":
      return sharedStorage;
    case "sglang":
      return sglang(sglangBootstrapPort);
    case "lmcache":
      return lmcache;
  }
}
