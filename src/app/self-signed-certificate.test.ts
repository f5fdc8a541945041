import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import test from "node:test";
import { selfSignedCertificate } from "./self-signed-certificate.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12, 30, 5);

test("self-signed-certificate: a certificate is what its key signed", () => {
  const { cert, key } = selfSignedCertificate(NOW_MS);
  const parsed = new X509Certificate(cert);
  assert.equal(parsed.verify(parsed.publicKey), true);
  assert.equal(parsed.checkPrivateKey(createPrivateKey(key)), true);
});

test("self-signed-certificate: it is for servers, of ten years, and names nobody", () => {
  const { cert } = selfSignedCertificate(NOW_MS);
  const parsed = new X509Certificate(cert);
  assert.equal(parsed.subject, "O=Inference Ext");
  assert.equal(parsed.issuer, parsed.subject);
  assert.deepEqual(parsed.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  assert.equal(parsed.subjectAltName, undefined);
  assert.equal(parsed.validFromDate.getTime(), NOW_MS - 3_600_000);
  assert.equal(parsed.validToDate.getTime(), NOW_MS + 3650 * 86_400_000);
});

test("self-signed-certificate: each has a number of its own", () => {
  const numbers = Array.from({ length: 50 }, () => {
    return new X509Certificate(selfSignedCertificate(NOW_MS).cert).serialNumber;
  });
  assert.equal(new Set(numbers).size, 50);
  // A leading byte of 0x40 to 0x7f: positive, and no byte to spare.
  for (const number of numbers) assert.match(number, /^[4-7][0-9A-F]{31}$/);
});
