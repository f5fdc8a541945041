/** What is wrong with a value, by the path of the member; undefined when nothing is. */
export type Shape = (value: unknown, path: string) => string | undefined;

/** A finite number. */
export const number: Shape = must("a number", (value) => Number.isFinite(value));
/** A whole number from 0. */
export const count: Shape = must(
  "a whole number",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);
export const text: Shape = must("a text", (value) => typeof value === "string");
export const flag: Shape = must("true or false", (value) => typeof value === "boolean");
/** Pairs of 32-bit words in base64. */
export const hashPairs: Shape = must("pairs of words in base64", (value) => {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return false;
  const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
  return value.length % 4 === 0 && ((value.length / 4) * 3 - padding) % 8 === 0;
});
/** Whatever JSON can hold. */
export const anything: Shape = () => undefined;

/** One of a short list. */
export function oneOf(allowed: readonly (string | number)[]): Shape {
  return must(`one of ${allowed.join(", ")}`, (value) => allowed.includes(value as string));
}

/** Null, or the shape. */
export function orNull(shape: Shape): Shape {
  return (value, path) => (value === null ? undefined : shape(value, path));
}

/** May be absent. */
export function optional(shape: Shape): Shape {
  return (value, path) => (value === undefined ? undefined : shape(value, path));
}

/** A list of equal shapes. */
export function listOf(shape: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path} is not a list`;
    for (const [index, item] of value.entries()) {
      const fault = shape(item, `${path}[${index}]`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

/** An object whose members, whatever their names, have one shape. */
export function mapOf(shape: Shape): Shape {
  return (value, path) => {
    if (!isObject(value)) return `${path} is not an object`;
    for (const [name, item] of Object.entries(value)) {
      const fault = shape(item, `${path}.${name}`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

/** An object with at least these members: further ones may come without a new format version. */
export function objectOf(members: Readonly<Record<string, Shape>>): Shape {
  return (value, path) => {
    if (!isObject(value)) return `${path === "" ? "the line" : path} is not an object`;
    for (const [name, shape] of Object.entries(members)) {
      const fault = shape(value[name], path === "" ? name : `${path}.${name}`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

/** One of several objects, told apart by their `kind`. */
export function byKind(kinds: Readonly<Record<string, Shape>>): Shape {
  return (value, path) => {
    const kind = isObject(value) ? value["kind"] : undefined;
    const shape = typeof kind === "string" ? kinds[kind] : undefined;
    if (shape !== undefined) return shape(value, path);
    const where = path === "" ? "kind" : `${path}.kind`;
    return `${where} is none of ${Object.keys(kinds).join(", ")}`;
  };
}

function must(what: string, holds: (value: unknown) => boolean): Shape {
  return (value, path) => (holds(value) ? undefined : `${path} is not ${what}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
