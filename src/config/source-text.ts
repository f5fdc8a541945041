import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseAllDocuments,
} from "yaml";
import type { ConfigFault, SourcePosition } from "../core/config-error.ts";
import { keyPath } from "../plugin/params.ts";
import { type PathKey, type SourceDocument, SourceNode } from "./source-node.ts";

/** YAML or JSON text and where it came from. */
export interface SourceText {
  readonly text: string;
  /** Name of the file, for messages. */
  readonly file: string;
  /** Present when the text is a scalar of another file: positions are those of the outer file. */
  readonly embedding?: Embedding | undefined;
}

/** How positions in an embedded text become positions in its file. */
export type Embedding =
  | {
      readonly kind: "block";
      /** Line of the file that holds the text's first line. */
      readonly firstLine: number;
      /** Columns before each line of the text. */
      readonly indentColumns: number;
      /** Columns before the first line beyond the indentation. */
      readonly firstLineSkipColumns: number;
    }
  /**
   * A quoted or folded scalar: its lines are not the file's lines, so everything is at its start.
   */
  | { readonly kind: "scalar"; readonly position: SourcePosition };

/** Kubernetes refuses objects above 1.5 MiB; longer text is no configuration. */
const MAX_TEXT_LENGTH = 1_572_864;
/**
 * Far above any real file, far below what the stack holds; an alias inside its own anchor meets it
 * too.
 */
const MAX_DEPTH = 64;
/** Expansions of aliases in one document; more is an attempt to exhaust memory. */
const MAX_ALIAS_COUNT = 100;

/**
 * Reads every document of a text; a text that is not YAML records faults and gives no documents.
 */
export function parseSource(source: SourceText, faults: ConfigFault[]): readonly SourceNode[] {
  if (source.text.length > MAX_TEXT_LENGTH) {
    faults.push({
      path: "",
      message: `longer than ${MAX_TEXT_LENGTH} characters`,
      position: locate(source, 1, 1),
    });
    return [];
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(source.text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    logLevel: "error",
  });
  if (!Array.isArray(parsed)) return [];
  return parsed.flatMap((document) => {
    const read = new ParsedSource(source, document, lines, faults);
    const root = read.root();
    // A file may end in `---`: a document without content is none.
    return root === undefined || root.value === null ? [] : [root];
  });
}

class ParsedSource implements SourceDocument {
  readonly #source: SourceText;
  readonly #document: Document<ParsedNode>;
  readonly #lines: LineCounter;
  readonly faults: ConfigFault[];

  constructor(
    source: SourceText,
    document: Document<ParsedNode>,
    lines: LineCounter,
    faults: ConfigFault[],
  ) {
    this.#source = source;
    this.#document = document;
    this.#lines = lines;
    this.faults = faults;
  }

  root(): SourceNode | undefined {
    const problems = [...this.#document.errors, ...this.#document.warnings];
    // What follows a syntax error is guesswork; duplicate keys are independent of each other.
    const isSyntaxError = problems.some(({ code }) => code !== "DUPLICATE_KEY");
    for (const { code, message, pos } of isSyntaxError ? problems.slice(0, 1) : problems) {
      this.faults.push({
        path: "",
        message: code === "DUPLICATE_KEY" ? "duplicate key" : message,
        position: this.#positionAt(pos[0]),
      });
    }
    if (problems.length > 0) return undefined;
    const value = this.#value();
    if (value === undefined) return undefined;
    const root = new SourceNode(this, [], value);
    if (!isDeeperThan(root.value, MAX_DEPTH)) return root;
    root.fault(`nested deeper than ${MAX_DEPTH} levels`);
    return undefined;
  }

  #value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
    } catch (cause) {
      // An alias without anchor, or more expansions than allowed, is told by a ReferenceError.
      if (!(cause instanceof ReferenceError)) throw cause;
      this.faults.push({ path: "", message: cause.message, position: this.positionOf([]) });
      return undefined;
    }
  }

  positionOf(path: readonly PathKey[]): SourcePosition {
    return this.#positionAt(this.#find(path).offset);
  }

  readEmbedded(path: readonly PathKey[], text: string, skipCount: number): readonly SourceNode[] {
    const embedding = this.#embeddingOf(path, text, skipCount);
    const faultCount = this.faults.length;
    const inner = { text: text.slice(skipCount), file: this.#source.file, embedding };
    const documents = parseSource(inner, this.faults);
    if (documents.length === 0 && this.faults.length === faultCount) {
      const message = "has no content besides comments";
      this.faults.push({ path: keyPath(path), message, position: this.positionOf(path) });
    }
    return documents;
  }

  #embeddingOf(path: readonly PathKey[], text: string, skipCount: number): Embedding {
    const { node } = this.#find(path);
    if (
      !isScalar(node) ||
      node.type !== "BLOCK_LITERAL" ||
      !node.range ||
      this.#source.embedding?.kind === "scalar"
    )
      return { kind: "scalar", position: this.positionOf(path) };
    const headerLine = this.#lines.linePos(node.range[0]).line;
    const innerLines = String(node.value).split("\n");
    const index = innerLines.findIndex((line) => line.trim() !== "");
    const outerLines = this.#source.text.split("\n");
    const outerLine = (outerLines[headerLine + index] ?? "").replace(/\r$/, "");
    const indentColumns = outerLine.length - (innerLines[index] ?? "").length;
    const skippedLines = text.slice(0, skipCount).split("\n");
    const first = locate(this.#source, headerLine + skippedLines.length, indentColumns + 1);
    return {
      kind: "block",
      firstLine: first.line,
      indentColumns: first.column - 1,
      firstLineSkipColumns: skippedLines.at(-1)?.length ?? 0,
    };
  }

  /** Offset of a value and its node; of the nearest enclosing one when it is absent. */
  #find(path: readonly PathKey[]): { readonly offset: number; readonly node: Node | null } {
    let node: Node | null = this.#document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(this.#document) ?? null;
      const next = childOf(node, key);
      if (next === undefined) return { offset, node: null };
      offset = next.offset;
      node = next.node;
    }
    return { offset, node };
  }

  #positionAt(offset: number): SourcePosition {
    const { line, col } = this.#lines.linePos(offset);
    return locate(this.#source, line, col);
  }
}

function childOf(
  node: Node | null,
  key: PathKey,
): { readonly offset: number; readonly node: Node | null } | undefined {
  if (isMap<Node, Node | null>(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    const offset = pair?.key.range?.[0];
    return pair === undefined || offset === undefined ? undefined : { offset, node: pair.value };
  }
  if (isSeq<Node>(node) && typeof key === "number") {
    const item = node.items[key];
    const offset = item?.range?.[0];
    return item === undefined || offset === undefined ? undefined : { offset, node: item };
  }
  return undefined;
}

function locate(source: SourceText, line: number, column: number): SourcePosition {
  const { file, embedding } = source;
  if (embedding === undefined) return { file, line, column };
  if (embedding.kind === "scalar") return embedding.position;
  const skipColumns = line === 1 ? embedding.firstLineSkipColumns : 0;
  return {
    file,
    line: embedding.firstLine + line - 1,
    column: embedding.indentColumns + skipColumns + column,
  };
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
}
