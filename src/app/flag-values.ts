/** Go's `time.ParseDuration` for what is not negative, in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit = "ms"] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return totalMs;
}

/** Bytes of a Kubernetes quantity such as `4Mi`, or with gRPC's usual spelling `4MiB`; undefined for anything else. */
export function quantityBytes(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(k|[KMG]i?)?B?$/.exec(text) ?? [];
  if (amount === undefined) return undefined;
  return Math.floor(Number(amount) * (UNIT_BYTES[unit] ?? 1));
}

/** Whether a switch is on, as Go's `strconv.ParseBool` reads it. */
export function isOn(value: string | undefined, unlessGiven: boolean): boolean {
  return value === undefined ? unlessGiven : /^(true|1|t)$/i.test(value);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const UNIT_BYTES: Readonly<Record<string, number>> = {
  k: 1000,
  K: 1000,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};
