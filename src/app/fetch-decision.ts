import { ConfigError } from "../core/config-error.ts";
import type { Decision } from "../scheduling/decision.ts";

const TIMEOUT_MS = 10_000;

/** A decision of a running router, by its admin API; throws ConfigError saying what to look at. */
export async function fetchDecision(adminUrl: string, id: string): Promise<Decision> {
  const fault = (message: string): ConfigError => new ConfigError([{ path: "--admin", message }]);
  let response: Response;
  try {
    const url = new URL(`/api/decisions/${encodeURIComponent(id)}`, adminUrl);
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const reason = error instanceof Error ? (error.cause ?? error) : error;
    throw fault(`no router answers at ${adminUrl}: ${String(reason)}`);
  }
  if (response.status === 404) throw fault(`the router has no decision ${id}`);
  if (!response.ok) throw fault(`${adminUrl} answered ${response.status}`);
  return (await response.json()) as Decision;
}
