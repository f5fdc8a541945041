/** Suites of TLS 1.2 by the names that flags of Go programs have for them, and what OpenSSL calls them. */
const SUITES: ReadonlyMap<string, string> = new Map(
  ["RSA", "ECDSA"].flatMap((kind) =>
    [
      ["AES_128_GCM_SHA256", "AES128-GCM-SHA256"],
      ["AES_256_GCM_SHA384", "AES256-GCM-SHA384"],
      ["CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"],
      ["AES_128_CBC_SHA", "AES128-SHA"],
      ["AES_256_CBC_SHA", "AES256-SHA"],
    ].map(
      ([name, cipher]) => [`TLS_ECDHE_${kind}_WITH_${name}`, `ECDHE-${kind}-${cipher}`] as const,
    ),
  ),
);

/** TLS 1.3 has these alone; like Go, the flag does not choose among them. */
const ALWAYS = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** What is wrong with a list of suites; undefined for one that can be used. */
export function cipherSuitesFault(list: string): string | undefined {
  const unknown = names(list).find((name) => !SUITES.has(name) && !ALWAYS.includes(name));
  if (unknown !== undefined) {
    return `${unknown} is not offered; known are ${[...SUITES.keys()].join(", ")}`;
  }
  return list === "" || ciphersOf(list) !== undefined
    ? undefined
    : "it names no suite of TLS 1.2; --tls-min-version=VersionTLS13 leaves those of TLS 1.3";
}

/** The list as OpenSSL takes it; undefined where it chooses nothing. */
export function ciphersOf(list: string): string | undefined {
  const chosen = names(list).flatMap((name) => SUITES.get(name) ?? []);
  return chosen.length === 0 ? undefined : [...chosen, ...ALWAYS].join(":");
}

function names(list: string): readonly string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
