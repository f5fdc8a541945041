import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate with its key, PEM. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/**
 * A certificate for whoever does not verify, as llm-d's own: organisation `Inference Ext`, server
 * authentication, ten years, no names. Node makes keys and signatures but no certificates, so the few
 * bytes around them (RFC 5280) are written here.
 */
export function selfSignedCertificate(nowMs: number): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(set(sequence(oid(ORGANIZATION), utf8("Inference Ext"))));
  const signature = sequence(oid(ECDSA_WITH_SHA256));
  const content = sequence(
    explicit(0, integer(Buffer.from([VERSION_3]))),
    integer(serialNumber()),
    signature,
    name,
    sequence(time(nowMs - BACKDATED_MS), time(nowMs + LIFETIME_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    explicit(3, sequence(extension(EXTENDED_KEY_USAGE, sequence(oid(SERVER_AUTH))))),
  );
  const der = sequence(content, signature, bits(sign("sha256", content, privateKey)));
  return { cert: pem(der), key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

// X.509 counts versions from 0.
const VERSION_3 = 2;
/** Clocks of other machines may be behind. */
const BACKDATED_MS = 3_600_000;
const LIFETIME_MS = 10 * 365 * 86_400_000;

// Object identifiers, as DER content in hexadecimal.
const ORGANIZATION = "55040a";
const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
const EXTENDED_KEY_USAGE = "551d25";
const SERVER_AUTH = "2b06010505070301";

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  // Below 128 the length is one byte; nothing in a certificate this small needs more than three.
  const lengthBytes =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tagged(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => tagged(0x31, ...parts);
const integer = (bytes: Uint8Array): Buffer => tagged(0x02, bytes);
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, "hex"));
const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
const explicit = (number: number, part: Uint8Array): Buffer => tagged(0xa0 | number, part);
/** A bit string whose last byte is used whole. */
const bits = (bytes: Uint8Array): Buffer => tagged(0x03, Buffer.from([0]), bytes);
const extension = (id: string, value: Uint8Array): Buffer => sequence(oid(id), tagged(0x04, value));

/** `YYMMDDHHMMSSZ` to the year 2049, with four digits for the year after it (RFC 5280 4.1.2.5). */
function time(ms: number): Buffer {
  const date = new Date(ms);
  const digits = date.toISOString().replace(/\.\d+|\D/g, "");
  const isShort = date.getUTCFullYear() < 2050;
  return tagged(isShort ? 0x17 : 0x18, Buffer.from(`${isShort ? digits.slice(2) : digits}Z`));
}

/** Positive, without a leading zero byte. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes;
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
