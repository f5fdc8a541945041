/** Words of a shell command line, or why it has none. */
export type ShellWords =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "unterminated"; readonly quote: "'" | '"' | "\\" };

/**
 * Splits by the quoting rules of POSIX sh (2.2): blanks separate, `'…'` is literal, in `"…"` a
 * backslash
 * escapes only `$`, backquote, `"`, `\` and newline. Nothing is expanded.
 */
export function shellWords(text: string): ShellWords {
  const words: string[] = [];
  let word: string | undefined;
  let index = 0;
  while (index < text.length) {
    const char = text.charAt(index);
    if (char === "'" || char === '"') {
      const quoted = char === "'" ? singleQuoted(text, index + 1) : doubleQuoted(text, index + 1);
      if (quoted === undefined) return { kind: "unterminated", quote: char };
      word = (word ?? "") + quoted.text;
      index = quoted.end;
    } else if (char === "\\") {
      if (index + 1 === text.length) return { kind: "unterminated", quote: "\\" };
      // A backslash before a newline joins two lines.
      const escaped = text.charAt(index + 1);
      if (escaped !== "\n") word = (word ?? "") + escaped;
      index += 2;
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      index += 1;
    } else {
      word = (word ?? "") + char;
      index += 1;
    }
  }
  if (word !== undefined) words.push(word);
  return { kind: "words", words };
}

/** A quoted part and the index after its closing quote. */
interface Quoted {
  readonly text: string;
  readonly end: number;
}

function singleQuoted(text: string, start: number): Quoted | undefined {
  const close = text.indexOf("'", start);
  return close === -1 ? undefined : { text: text.slice(start, close), end: close + 1 };
}

function doubleQuoted(text: string, start: number): Quoted | undefined {
  let quoted = "";
  for (let index = start; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === '"') return { text: quoted, end: index + 1 };
    const isEscape = char === "\\" && ESCAPABLE.includes(text.charAt(index + 1));
    if (isEscape) index += 1;
    const literal = text.charAt(index);
    if (!(isEscape && literal === "\n")) quoted += literal;
  }
  return undefined;
}

const ESCAPABLE = ["$", "`", '"', "\\", "\n"];
