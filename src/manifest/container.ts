import type { ConfigNote } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import type { Probe } from "./service.ts";

/** Container that KServe merges its own settings into. */
const MAIN = "main";

/** Finds container `main` of a pod template; others are not read. */
export function mainContainer(
  template: SourceNode | undefined,
  notes: ConfigNote[],
): SourceNode | undefined {
  const list = template?.at("containers");
  const containers = list?.items() ?? [];
  const main = containers.find((container) => container.at("name")?.value === MAIN);
  if (list !== undefined && main === undefined && containers.length > 0) {
    const message = `no container is named ${MAIN}: nothing is read from this template`;
    notes.push({ message, position: list.position });
  }
  return main;
}

/** Labels, annotations or resource quantities: a number or boolean is taken as its text. */
export function readStringMap(node: SourceNode | undefined): Readonly<Record<string, string>> {
  const strings: [string, string][] = [];
  for (const [key, entry] of node?.entries() ?? []) {
    if (["string", "number", "boolean"].includes(typeof entry.value))
      strings.push([key, String(entry.value)]);
    else entry.fault("must be a string or a number");
  }
  return Object.fromEntries(strings);
}

/** Reads an HTTP probe with Kubernetes' defaults; a probe of another kind is undefined. */
export function readProbe(node: SourceNode | undefined): Probe | undefined {
  const http = node?.at("httpGet");
  if (node === undefined || http === undefined) return undefined;
  const port = http.at("port");
  if (port === undefined) http.faultAt(["port"], "is required");
  const isPort = typeof port?.value === "number" || typeof port?.value === "string";
  if (port !== undefined && !isPort) port.fault("must be a number or a name");
  const number = (name: string, otherwise: number, least: number): number =>
    node.at(name)?.integer(least) ?? otherwise;
  return {
    path: http.at("path")?.text() ?? "/",
    port: String(port?.value ?? ""),
    scheme: http.at("scheme")?.text() ?? "HTTP",
    initialDelaySeconds: number("initialDelaySeconds", 0, 0),
    periodSeconds: number("periodSeconds", 10, 1),
    timeoutSeconds: number("timeoutSeconds", 1, 1),
    failureThreshold: number("failureThreshold", 3, 1),
  };
}
