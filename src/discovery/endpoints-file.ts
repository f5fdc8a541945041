import { isIP } from "node:net";
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { endpointId } from "../core/brand.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { EndpointSpec } from "../endpoints/endpoint-table.ts";
import { faultsOf } from "../plugin/params.ts";
import { socketAddress } from "./resolve-hosts.ts";

/** llm-d's own limit for its file discovery. */
const FILE_BYTES_MAX = 1024 * 1024;

const schema = z.strictObject({
  endpoints: z.array(
    z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$/, {
        error:
          "must be 1 to 253 letters, digits, - . _, beginning and ending with a letter or digit",
      }),
      namespace: z.string().min(1).default("default"),
      address: z.string().refine(isHost, { error: "must be an IP address or a host name" }),
      port: z
        .union([z.string(), z.int()])
        .transform(String)
        .refine((port) => /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535, {
          error: "must be a port, 1 to 65535",
        }),
      labels: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

/**
 * Endpoints of llm-d's `file-discovery` format, YAML or JSON. Throws ConfigError with every fault;
 * names must be unique within a namespace.
 */
export function parseEndpointsFile(source: {
  text: string;
  file: string;
}): readonly EndpointSpec[] {
  if (Buffer.byteLength(source.text) > FILE_BYTES_MAX) {
    throw new ConfigError([{ path: "", message: `${source.file} is larger than 1 MiB` }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number): Pick<ConfigFault, "position"> => {
    const { line, col } = lines.linePos(offset);
    return { position: { file: source.file, line, column: col } };
  };
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => ({
        path: "",
        message: error.message.split("\n", 1)[0] ?? error.code,
        ...at(error.pos[0]),
      })),
    );
  }
  const parsed = schema.safeParse(document.toJS());
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.flatMap((issue) => {
        const node: unknown = document.getIn(issue.path, true);
        const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
        return faultsOf(issue).map((fault) => ({ ...fault, ...at(offset) }));
      }),
    );
  }
  const specs = parsed.data.endpoints.map(({ name, namespace, address, port, labels }) => ({
    id: endpointId(namespace === "default" ? name : `${namespace}/${name}`),
    address: socketAddress(address, port),
    labels,
  }));
  const seen = new Set<string>();
  const repeated = specs.flatMap(({ id }, index) => {
    const isRepeated = seen.has(id);
    seen.add(id);
    const path = `endpoints[${index}].name`;
    return isRepeated ? [{ path, message: `a second endpoint is named ${id}` }] : [];
  });
  if (repeated.length > 0) throw new ConfigError(repeated);
  return specs;
}

function isHost(address: string): boolean {
  return isIP(address) !== 0 || /^[A-Za-z0-9]([-A-Za-z0-9.]{0,252})$/.test(address);
}
