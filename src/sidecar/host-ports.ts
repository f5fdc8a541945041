// `up` names two and the endpoint picker one; a longer list is no ranking but an attack.
const MAX_ENDPOINTS = 16;
const HOST_PORT = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::(\d{1,5}))$/;

/**
 * Endpoints of a ranked header, best first; undefined when one is no `host:port` or there are over
 * 16.
 */
export function parseHostPorts(header: string): string[] | undefined {
  const endpoints = header
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
  const isValid = endpoints.length <= MAX_ENDPOINTS && endpoints.every(isHostPort);
  return isValid ? endpoints : undefined;
}

function isHostPort(text: string): boolean {
  const port = Number(HOST_PORT.exec(text)?.[1]);
  return port >= 1 && port <= 65535;
}
