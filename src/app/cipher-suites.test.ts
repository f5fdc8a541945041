import assert from "node:assert/strict";
import test from "node:test";
import { getCiphers } from "node:tls";
import { cipherSuitesFault, ciphersOf } from "./cipher-suites.ts";

test("cipher-suites: names of Go become OpenSSL's, and TLS 1.3 keeps its own", () => {
  const list =
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
  const ciphers = ciphersOf(list)?.split(":") ?? [];
  assert.deepEqual(ciphers.slice(0, 2), [
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
  ]);
  const known = new Set(getCiphers());
  for (const cipher of ciphers) assert.ok(known.has(cipher.toLowerCase()), cipher);
});

test("cipher-suites: every suite that a message offers is OpenSSL's too", () => {
  const offered = /known are (.*)$/.exec(cipherSuitesFault("TLS_NOPE") ?? "")?.[1] ?? "";
  assert.equal(cipherSuitesFault(offered), undefined);
  const known = new Set(getCiphers());
  const ciphers = ciphersOf(offered)?.split(":") ?? [];
  assert.equal(ciphers.length, 13);
  for (const cipher of ciphers) assert.ok(known.has(cipher.toLowerCase()), cipher);
});

test("cipher-suites: an empty list chooses nothing; one of TLS 1.3 alone is a mistake", () => {
  assert.equal(cipherSuitesFault(""), undefined);
  assert.equal(ciphersOf(""), undefined);
  assert.match(cipherSuitesFault("TLS_AES_128_GCM_SHA256") ?? "", /no suite of TLS 1\.2/);
  assert.match(cipherSuitesFault("TLS_RSA_WITH_RC4_128_SHA") ?? "", /RC4.*known are TLS_ECDHE/);
});
