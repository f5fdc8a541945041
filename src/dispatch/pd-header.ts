import type { PdOutcome } from "../core/exchange-report.ts";

/** Header and trailer by which a sidecar tells the router how a split request went. */
export const PD_HEADER = "x-switchyard-pd";
/** Header by which a simulated engine tells its sidecar what fetching KV-cache blocks cost. */
export const KV_HEADER = "x-switchyard-kv";

const OUTCOMES = ["remote", "local", "fallback", "refused"] as const;

const NUMBER_FIELDS = {
  prefillMs: "prefill-ms",
  handleBlocks: "handle-blocks",
  prefillCachedTokens: "prefill-cached-tokens",
  decodeCachedTokens: "decode-cached-tokens",
  kvBytes: "kv-bytes",
  kvMs: "kv-ms",
  kvHandshakeMs: "kv-handshake-ms",
} as const;

/** Cost of a transfer as the engine that fetched the blocks tells it. */
export type KvFacts = Pick<PdOutcome, "kvBytes" | "kvMs" | "kvHandshakeMs">;

/** `outcome=remote; prefill-ms=12; …`; a fact that is not known is left out. */
export function formatPdHeader(facts: Partial<PdOutcome>): string {
  const fields: string[] = [];
  if (facts.outcome !== undefined) fields.push(`outcome=${facts.outcome}`);
  if (facts.reason) fields.push(`reason=${facts.reason}`);
  if (facts.prefillEndpoint) fields.push(`prefill-endpoint=${facts.prefillEndpoint}`);
  for (const [fact, field] of Object.entries(NUMBER_FIELDS)) {
    const value = facts[fact as keyof typeof NUMBER_FIELDS];
    // Rounded to microseconds, so that no exponent gets into the text.
    if (typeof value === "number") fields.push(`${field}=${Math.round(value * 1000) / 1000}`);
  }
  return fields.join("; ");
}

/** Facts of the header and, once it is there, the trailer; undefined when no outcome is told. */
export function parsePdHeader(
  header: string | undefined,
  trailer?: string | undefined,
): PdOutcome | undefined {
  if (header === undefined && trailer === undefined) return undefined;
  const fields = parseFields(`${header ?? ""};${trailer ?? ""}`);
  const outcome = OUTCOMES.find((name) => name === fields.get("outcome"));
  if (outcome === undefined) return undefined;
  return {
    outcome,
    reason: fields.get("reason") ?? null,
    prefillEndpoint: fields.get("prefill-endpoint") ?? null,
    prefillMs: amountOf(fields, NUMBER_FIELDS.prefillMs),
    handleBlocks: amountOf(fields, NUMBER_FIELDS.handleBlocks),
    kvBytes: amountOf(fields, NUMBER_FIELDS.kvBytes),
    kvMs: amountOf(fields, NUMBER_FIELDS.kvMs),
    kvHandshakeMs: amountOf(fields, NUMBER_FIELDS.kvHandshakeMs),
    prefillCachedTokens: amountOf(fields, NUMBER_FIELDS.prefillCachedTokens),
    decodeCachedTokens: amountOf(fields, NUMBER_FIELDS.decodeCachedTokens),
  };
}

/** `bytes=<n>; ms=<n>; handshake-ms=<n>`; facts that are not told are null. */
export function parseKvHeader(header: string | undefined): KvFacts {
  const fields = parseFields(header ?? "");
  return {
    kvBytes: amountOf(fields, "bytes"),
    kvMs: amountOf(fields, "ms"),
    kvHandshakeMs: amountOf(fields, "handshake-ms"),
  };
}

function parseFields(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of text.split(";")) {
    const equals = field.indexOf("=");
    if (equals !== -1) fields.set(field.slice(0, equals).trim(), field.slice(equals + 1).trim());
  }
  return fields;
}

function amountOf(fields: ReadonlyMap<string, string>, name: string): number | null {
  const text = fields.get(name);
  return text !== undefined && /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : null;
}
