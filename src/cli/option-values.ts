import { InvalidArgumentError } from "commander";
import type { ServiceSetting } from "../app/per-service.ts";

/** A whole number from `least` to `most`, for commander. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`must be a whole number, ${least} to ${most}.`);
  };
}

/** Every value of an option that may be repeated. */
export function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** A number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("must be a number above 0.");
}

/** `[SERVICE=]VALUE`, collected over repeated options. */
export function perService<T>(
  parse: (text: string) => T,
): (text: string, before: readonly ServiceSetting<T>[]) => readonly ServiceSetting<T>[] {
  return (text, before) => {
    const at = text.lastIndexOf("=");
    const service = at === -1 ? undefined : text.slice(0, at);
    return [...before, { service, value: parse(text.slice(at + 1)) }];
  };
}

/** One of a short list. */
export function oneOf<T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`must be one of ${allowed.join(", ")}.`);
  };
}
