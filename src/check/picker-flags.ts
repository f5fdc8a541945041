import type { SourceNode } from "../config/source-node.ts";

/** A flag of the endpoint picker as written; a switch has no value. */
export interface PickerFlag {
  /** Without leading dashes. */
  readonly name: string;
  readonly value: string | undefined;
  readonly node: SourceNode;
}

/** Reads a picker's command line by Go's rules: one dash or two, `=` or the next word. */
export function readPickerFlags(
  words: readonly { readonly text: string; readonly node: SourceNode }[],
): readonly PickerFlag[] {
  return words.flatMap(({ text, node }, index) => {
    const match = FLAG.exec(text);
    if (match === null) return [];
    const [, name = "", written] = match;
    const next = words[index + 1]?.text;
    const following = next === undefined || FLAG.test(next) ? undefined : next;
    return { name, value: written ?? following, node };
  });
}

/** `poolName` and `pool-name` as `pool-name`. */
export function kebabName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Finds a flag in either spelling. */
export function findFlag(flags: readonly PickerFlag[], name: string): PickerFlag | undefined {
  return flags.findLast((flag) => kebabName(flag.name) === name);
}

/** The value may be a whole configuration, with lines. */
const FLAG = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/;
