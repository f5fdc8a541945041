import { STATIC_TABLE } from "./header-field.ts";

/**
 * Encodes a header block that changes no table: fields of the static table by index, all others as
 * literals without indexing and without Huffman codes (RFC 7541 6), so that a block can be kept and sent
 * again on any connection.
 */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => encodedField(name, value)));
}

function encodedField(name: string, value: string): Buffer {
  const whole = STATIC_TABLE.findIndex((field) => field.name === name && field.value === value);
  if (whole >= 0) return encodedInteger(0x80, 7, whole + 1);
  const named = STATIC_TABLE.findIndex((field) => field.name === name);
  if (named >= 0) return Buffer.concat([encodedInteger(0, 4, named + 1), encodedText(value)]);
  return Buffer.concat([Buffer.of(0), encodedText(name), encodedText(value)]);
}

function encodedText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([encodedInteger(0, 7, bytes.length), bytes]);
}

function encodedInteger(pattern: number, prefixBits: number, value: number): Buffer {
  const prefixMax = 2 ** prefixBits - 1;
  if (value < prefixMax) return Buffer.of(pattern | value);
  const bytes = [pattern | prefixMax];
  let rest = value - prefixMax;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
