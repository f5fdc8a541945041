import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  stringify,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { invariant } from "../core/invariant.ts";
import type { Json } from "../core/json.ts";
import type { PathKey } from "./source-node.ts";

/** A path of keys and indexes from a document's root. */
export type YamlPath = readonly PathKey[];

/**
 * YAML or JSON text that is edited where its values stand; every byte that an edit does not touch
 * stays, comments and spacing too. The text is parsed again after each edit: files are small.
 */
export class YamlText {
  #text: string;
  #document: Document.Parsed;
  readonly #kind: string;

  /** Edits the document of that `kind`; the text has been read without faults before. */
  constructor(text: string, kind: string) {
    this.#text = text;
    this.#kind = kind;
    this.#document = documentOf(text, kind);
  }

  get text(): string {
    return this.#text;
  }

  /** The value at a path, aliases resolved; undefined when there is none. */
  value(path: YamlPath): unknown {
    const node = this.#find(path);
    return node === undefined ? undefined : node.toJS(this.#document);
  }

  /** Keys of the mapping at a path, in its order. */
  keys(path: YamlPath): readonly string[] {
    const node = this.#find(path);
    return isMap(node) ? node.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : [];
  }

  /** Writes the value in place of each alias below a path: an edit must not reach other uses. */
  expandAliases(path: YamlPath): void {
    for (;;) {
      let found: readonly [start: number, end: number, value: string] | undefined;
      const document = this.#document;
      const node = this.#find(path);
      if (node === undefined) return;
      visit(node, {
        Alias: (_key, alias) => {
          const [start, end] = alias.range ?? [0, 0];
          found = [start, end, JSON.stringify(alias.toJS(document))];
          return visit.BREAK;
        },
      });
      if (found === undefined) return;
      this.#replace(...found);
    }
  }

  /** Sets the value at a path; the mapping that holds it is made when absent. */
  set(path: YamlPath, value: Json): void {
    const [parentPath, key] = split(path);
    const parent = this.#find(parentPath);
    if (!isMap(parent)) {
      this.set(parentPath, { [key]: value });
      return;
    }
    const pair = pairOf(parent, key);
    if (pair === undefined) this.#addPair(parent, parentPath, key, value);
    else if (isScalar(pair.value) && (typeof value !== "object" || value === null)) {
      const [start, end] = rangeOf(pair.value);
      this.#replace(start, end, this.#scalarLike(start, value, parent));
    } else this.#replacePair(parent, pair, parentPath, key, value);
  }

  /**
   * Replaces the text of a scalar. A literal block keeps its header, its indentation and the blank
   * lines behind it; any other style becomes a double-quoted one.
   */
  setText(path: YamlPath, text: string): void {
    const node = this.#find(path);
    invariant(isScalar(node), `no text at ${path.join(".")}`);
    const [start, end] = rangeOf(node);
    if (node.type !== "BLOCK_LITERAL") {
      this.#replace(start, end, JSON.stringify(text));
      return;
    }
    const bodyStart = this.#text.indexOf("\n", start) + 1;
    const body = this.#text.slice(bodyStart, end);
    const outer = body.split("\n").find((line) => line.trim() !== "") ?? "";
    const inner = String(node.value)
      .split("\n")
      .find((line) => line.trim() !== "");
    const indent = outer.replace(/\r$/, "").slice(0, -(inner?.length ?? 0));
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? line : indent + line));
    const tail = body.slice(body.trimEnd().length);
    this.#replace(bodyStart, end, lines.join(this.#newline) + tail);
  }

  /** Gives the value at a path another key and value, in its place. */
  replacePair(path: YamlPath, key: string, value: Json): void {
    const [parentPath, oldKey] = split(path);
    const parent = this.#mapAt(parentPath);
    const pair = pairOf(parent, oldKey);
    invariant(pair !== undefined, `nothing at ${path.join(".")}`);
    this.#replacePair(parent, pair, parentPath, key, value);
  }

  /** Removes an entry or an item; what would be left empty goes with it. */
  remove(path: YamlPath): void {
    const [parentPath, key] = split(path);
    const parent = this.#find(parentPath);
    invariant(isCollection(parent), `nothing at ${path.join(".")}`);
    if (parent.items.length === 1 && parentPath.length > 0) {
      this.remove(parentPath);
      return;
    }
    const spans = spansOf(parent);
    const index = isMap(parent) ? parent.items.findIndex((pair) => isKey(pair, key)) : Number(key);
    const span = spans[index];
    invariant(span !== undefined, `nothing at ${path.join(".")}`);
    const next = spans[index + 1];
    const previous = spans[index - 1];
    if (parent.flow === true || !this.#isFirstOnLine(span.start)) {
      if (next !== undefined) this.#replace(span.start, next.start, "");
      else this.#replace(previous?.end ?? span.start, span.end, "");
    } else {
      this.#replace(this.#lineStart(span.start), this.#lineEnd(span.end) + 1, "");
    }
  }

  /** Inserts an item before the one at a path, above the comment that belongs to that one. */
  insertBefore(path: YamlPath, value: Json): void {
    const [seq, start] = this.#itemAt(path);
    if (seq.flow === true) {
      this.#replace(start, start, `${this.#flow(value, seq)}, `);
      return;
    }
    const column = start - this.#lineStart(start);
    let at = this.#lineStart(start);
    while (at > 0) {
      const above = this.#lineStart(at - 1);
      if (!/^ *#/.test(this.#text.slice(above, at)) || this.#text[above + column] !== "#") break;
      at = above;
    }
    const lines = indented(blockLines([value]), column);
    this.#replace(at, at, `${lines}${this.#newline}`);
  }

  /** Inserts an item after the one at a path. */
  insertAfter(path: YamlPath, value: Json): void {
    const [seq, start, end] = this.#itemAt(path);
    if (seq.flow === true) {
      this.#replace(end, end, `, ${this.#flow(value, seq)}`);
      return;
    }
    const at = this.#lineEnd(end);
    const lines = indented(blockLines([value]), start - this.#lineStart(start));
    this.#replace(at, at, `${this.#newline}${lines}`);
  }

  #itemAt(path: YamlPath): readonly [YAMLSeq, number, number] {
    const [parentPath, index] = split(path);
    const seq = this.#find(parentPath);
    invariant(isSeq(seq), `no list at ${parentPath.join(".")}`);
    const span = spansOf(seq)[Number(index)];
    invariant(span !== undefined, `nothing at ${path.join(".")}`);
    return [seq, span.start, span.end];
  }

  #mapAt(path: YamlPath): YAMLMap {
    const node = this.#find(path);
    invariant(isMap(node), `no mapping at ${path.join(".")}`);
    return node;
  }

  #addPair(map: YAMLMap, path: YamlPath, key: string, value: Json): void {
    const last = spansOf(map).at(-1);
    if (map.flow === true) {
      const text = this.#flowPair(key, value, map);
      if (last === undefined) this.#replace(rangeOf(map)[0] + 1, rangeOf(map)[0] + 1, text);
      else this.#replace(last.end, last.end, `, ${text}`);
      return;
    }
    invariant(last !== undefined, `an empty block mapping at ${path.join(".")}`);
    const at = this.#lineEnd(last.end);
    const lines = indented(blockLines({ [key]: value }), this.#columnOf(map));
    this.#replace(at, at, `${this.#newline}${lines}`);
  }

  #replacePair(map: YAMLMap, pair: Pair, path: YamlPath, key: string, value: Json): void {
    const span = spansOf(map)[map.items.indexOf(pair)];
    invariant(span !== undefined, `nothing at ${path.join(".")}`);
    const lines = indented(blockLines({ [key]: value }), this.#columnOf(map)).trimStart();
    const text = map.flow === true ? this.#flowPair(key, value, map) : lines;
    this.#replace(span.start, span.end, text);
  }

  #columnOf(map: YAMLMap): number {
    const [start] = rangeOf(map);
    return start - this.#lineStart(start);
  }

  /** In the quotes of the scalar that stands there. */
  #scalarLike(start: number, value: Json, parent: YAMLMap): string {
    if (this.#text[start] === '"') return JSON.stringify(value);
    return parent.flow === true ? this.#flow(value, parent) : blockLines(value).join("\n");
  }

  #flowPair(key: string, value: Json, map: YAMLMap): string {
    return this.#isJson(map) ? `"${key}": ${JSON.stringify(value)}` : `${key}: ${plainFlow(value)}`;
  }

  #flow(value: Json, collection: YAMLMap | YAMLSeq): string {
    return this.#isJson(collection) ? JSON.stringify(value) : plainFlow(value);
  }

  /** JSON is told by quotes around the first key or item that is found. */
  #isJson(collection: YAMLMap | YAMLSeq): boolean {
    const [start] = rangeOf(collection);
    return /^[[{\s]*"/.test(this.#text.slice(start, start + 1000));
  }

  #find(path: YamlPath): Node | undefined {
    return nodeAt(this.#document.contents, path);
  }

  get #newline(): string {
    return this.#text.includes("\r\n") ? "\r\n" : "\n";
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf("\n", offset - 1) + 1;
  }

  /** Offset of the line break that ends the line before `offset`, or the end of the text. */
  #lineEnd(offset: number): number {
    const from = this.#text[offset - 1] === "\n" ? offset - 1 : offset;
    const at = this.#text.indexOf("\n", from);
    const end = at === -1 ? this.#text.length : at;
    return this.#text[end - 1] === "\r" ? end - 1 : end;
  }

  #isFirstOnLine(offset: number): boolean {
    return this.#text.slice(this.#lineStart(offset), offset).trim() === "";
  }

  #replace(start: number, end: number, by: string): void {
    this.#text = this.#text.slice(0, start) + by + this.#text.slice(end);
    this.#document = documentOf(this.#text, this.#kind);
  }
}

function documentOf(text: string, kind: string): Document.Parsed {
  const documents = parseAllDocuments(text, { keepSourceTokens: true, stringKeys: true });
  invariant(Array.isArray(documents), "the text holds no document");
  const document = documents.find(({ contents }) => {
    const node: unknown = contents;
    return isMap(node) && node.get("kind") === kind;
  });
  invariant(document !== undefined, `the text holds no ${kind}`);
  return document;
}

function nodeAt(root: Node | null, path: YamlPath): Node | undefined {
  let node: unknown = root;
  for (const key of path) {
    if (isMap(node)) node = pairOf(node, key)?.value;
    else if (isSeq(node)) node = node.items[Number(key)];
    else return undefined;
  }
  return node === null || node === undefined ? undefined : (node as Node);
}

function split(path: YamlPath): readonly [YamlPath, string] {
  const key = path.at(-1);
  invariant(key !== undefined, "the root is no entry");
  return [path.slice(0, -1), String(key)];
}

function pairOf(map: YAMLMap, key: PathKey): Pair | undefined {
  return map.items.find((pair) => isKey(pair, key));
}

function isKey({ key }: Pair, name: PathKey): boolean {
  return isScalar(key) && String(key.value) === String(name);
}

function rangeOf(node: Node): readonly [number, number] {
  invariant(node.range !== undefined && node.range !== null, "a node that was not parsed");
  return [node.range[0], node.range[1]];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the entries or items stand: from key or dash to the end of the value, comments left out. */
function spansOf(collection: YAMLMap | YAMLSeq): readonly Span[] {
  if (isMap(collection)) {
    return collection.items.map((pair) => ({
      start: rangeOf(pair.key as Node)[0],
      end: endOf(pair),
    }));
  }
  const { srcToken } = collection;
  return collection.items.map((item, index) => {
    const dash =
      srcToken?.type === "block-seq"
        ? srcToken.items[index]?.start.find(({ type }) => type === "seq-item-ind")?.offset
        : undefined;
    return { start: dash ?? rangeOf(item as Node)[0], end: endOf(item) };
  });
}

/** End of the last value inside: a block collection's own range runs on over what follows it. */
function endOf(node: unknown): number {
  if (isPair(node)) {
    const { key, value } = node;
    return isEmptyScalar(value) ? rangeOf(key as Node)[1] + 1 : endOf(value);
  }
  if (isCollection(node) && node.flow !== true && node.items.length > 0)
    return endOf(node.items.at(-1));
  return rangeOf(node as Node)[1];
}

/** A key without value: its colon is all there is. */
function isEmptyScalar(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null && value.source === "");
}

function blockLines(value: Json): readonly string[] {
  return stringify(value, { lineWidth: 0 }).trimEnd().split("\n");
}

function indented(lines: readonly string[], column: number): string {
  return lines.map((line) => " ".repeat(column) + line).join("\n");
}

/** Flow YAML without quotes where none are needed. */
function plainFlow(value: Json): string {
  if (typeof value === "string" && PLAIN.test(value)) return value;
  if (Array.isArray(value)) return `[${value.map(plainFlow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${key}: ${plainFlow(inner)}`);
  return `{${pairs.join(", ")}}`;
}

/** Words that no YAML schema takes for anything but text. */
const PLAIN = /^(?!(?:true|false|null|yes|no|on|off)$)[a-z][a-z0-9-]*$/i;
