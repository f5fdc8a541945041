/** One series of a metric at one scrape. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** As the exposition gives it; undefined without one. */
  readonly timestamp: number | undefined;
}

/**
 * Reads the series of one gauge or counter out of Prometheus text. The text is searched for the name
 * instead of being parsed line by line: an engine exposes thousands of lines and a router needs five.
 * A metric's lines stand together (the format's rule), so the search ends with them. Lines that are not
 * well formed are skipped.
 */
export function readSeries(exposition: Buffer, name: string): readonly Series[] {
  const found: Series[] = [];
  let at = exposition.indexOf(name, 0, "latin1");
  while (at >= 0) {
    const newline = exposition.indexOf(NEWLINE, at);
    const lineEnd = newline < 0 ? exposition.length : newline;
    const series = isLineStart(exposition, at)
      ? parseRest(exposition.toString("utf8", at + name.length, lineEnd))
      : undefined;
    if (series !== undefined) found.push(series);
    at =
      found.length === 0
        ? exposition.indexOf(name, at + name.length, "latin1")
        : nameAtLine(exposition, lineEnd + 1, name);
  }
  return found;
}

/** The series whose labels include the wanted ones; of several the one with the latest timestamp, or the last. */
export function latestSeries(
  series: readonly Series[],
  wanted: Readonly<Record<string, string>> = {},
): Series | undefined {
  const pairs = Object.entries(wanted);
  return series
    .filter(({ labels }) => pairs.every(([name, value]) => labels[name] === value))
    .reduce<Series | undefined>(
      (latest, next) => ((next.timestamp ?? 0) >= (latest?.timestamp ?? 0) ? next : latest),
      undefined,
    );
}

/** Where the name stands if the line that starts here begins with it, else -1. */
function nameAtLine(exposition: Buffer, lineStart: number, name: string): number {
  let at = lineStart;
  while (isBlank(exposition[at])) at++;
  return exposition.toString("latin1", at, at + name.length) === name ? at : -1;
}

function isLineStart(exposition: Buffer, at: number): boolean {
  let before = at - 1;
  while (isBlank(exposition[before])) before--;
  return before < 0 || exposition[before] === NEWLINE;
}

const NEWLINE = 0x0a;

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09;
}

/** What follows the name: labels, value and timestamp. */
function parseRest(line: string): Series | undefined {
  const labels: Record<string, string> = {};
  let at = 0;
  if (line[0] === "{") {
    at = readLabels(line, labels);
    if (at < 0) return undefined;
  } else if (line[0] !== " " && line[0] !== "\t") {
    // A longer name that begins with ours.
    return undefined;
  }
  const [valueText = "", timestampText] = line
    .slice(at)
    .trim()
    .split(/[ \t]+/);
  const value = readValue(valueText);
  if (value === undefined) return undefined;
  const hasTimestamp = timestampText !== undefined && /^-?\d+(\.\d+)?$/.test(timestampText);
  return { labels, value, timestamp: hasTimestamp ? Number(timestampText) : undefined };
}

/** Index behind the closing brace, or -1 for labels that are not well formed. */
function readLabels(line: string, labels: Record<string, string>): number {
  const label = /[ \t,]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"/y;
  let at = 1;
  for (;;) {
    label.lastIndex = at;
    const match = label.exec(line);
    if (match === null) break;
    const [, name = "", text = ""] = match;
    labels[name] = text.replace(/\\(.)/g, (_, escaped: string) =>
      escaped === "n" ? "\n" : escaped,
    );
    at = label.lastIndex;
  }
  const close = /[ \t,]*\}/y;
  close.lastIndex = at;
  return close.test(line) ? close.lastIndex : -1;
}

/** Prometheus spells the special values as Go does. */
function readValue(text: string): number | undefined {
  switch (text) {
    case "+Inf":
    case "Inf":
      return Number.POSITIVE_INFINITY;
    case "-Inf":
      return Number.NEGATIVE_INFINITY;
    case "NaN":
      return Number.NaN;
    default:
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
  }
}
