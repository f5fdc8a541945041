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

const UNIT_BYTES: Readonly<Record<string, number>> = {
  k: 1000,
  K: 1000,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};
