import { categoryOf, writtenPlugins } from "./plugin-category.ts";
import { PLUGIN_CATEGORIES, PLUGIN_FACTS } from "./plugin-facts.ts";
import type { Pair, PluginEntry } from "./side.ts";
import type { Table } from "./table.ts";
import { ABSENT } from "./text-table.ts";

/** What each plugin of the two files does, then and here. */
export function pluginTable(pair: Pair): Table {
  const users = usersByType(pair);
  return {
    title: "Plugins: what they do",
    header: ["Plugin", "In llm-d of that era", "Here"],
    rows: [...users.values()].map(({ entry, labels }) => {
      const { type } = entry.definition;
      const facts = PLUGIN_FACTS.get(type);
      const here = facts === undefined ? undefined : [facts.here, facts.formula ?? ""].join(" ");
      return [
        `${type}\n${categoryOf(entry)}\nin ${labels.join(", ")}`,
        facts?.inLlmd ?? ABSENT,
        here?.replaceAll("`", "").trim() ?? "See docs/plugins.md.",
      ];
    }),
    remark:
      "That era is scheduler 0.2 with endpoint picker 0.5. Here means Switchyard; docs/plugins.md has each plugin in full.",
  };
}

/** What the files set, with its meaning. */
export function parameterTable({ left, right }: Pair): Table {
  const rows = [left, right].flatMap(({ label, service }) =>
    service.config.plugins.flatMap((entry) =>
      Object.entries(writtenParameters(entry)).map(([name, value]) => {
        const facts = PLUGIN_FACTS.get(entry.definition.type);
        return [
          `${ownerOf(entry)}\nin ${label}`,
          name,
          String(value),
          facts?.parameters[name] ?? ABSENT,
        ];
      }),
    ),
  );
  const remark = reachRemark([left, right].flatMap(({ service }) => service.config.plugins));
  return {
    title: "Parameters",
    header: ["Plugin", "Parameter", "Value", "Meaning"],
    rows,
    ...(remark !== undefined && { remark }),
  };
}

interface Use {
  readonly entry: PluginEntry;
  readonly labels: readonly string[];
}

/** Types in the categories' order, each with who uses it. */
function usersByType({ left, right }: Pair): ReadonlyMap<string, Use> {
  const uses = new Map<string, Use>();
  const all = [left, right].flatMap(({ label, service }) =>
    writtenPlugins(service.config.plugins).map((entry) => ({ label, entry })),
  );
  const rank = (entry: PluginEntry): number => PLUGIN_CATEGORIES.indexOf(categoryOf(entry));
  for (const { label, entry } of all.toSorted(
    (one, other) => rank(one.entry) - rank(other.entry),
  )) {
    const before = uses.get(entry.definition.type)?.labels ?? [];
    uses.set(entry.definition.type, { entry, labels: [...new Set([...before, label])] });
  }
  return uses;
}

/** The names that files use for parameters which loading keeps under others. */
const FILE_NAMES: ReadonlyMap<string, string> = new Map([["blockBytes", "hashBlockSize"]]);

function writtenParameters({ parameters }: PluginEntry): Readonly<Record<string, unknown>> {
  if (typeof parameters !== "object" || parameters === null) return {};
  const named = Object.entries(parameters).map(([name, value]) => [
    FILE_NAMES.get(name) ?? name,
    typeof value === "object" ? JSON.stringify(value) : value,
  ]);
  return Object.fromEntries(named);
}

/** A producer that a scorer brought is shown under the scorer, where the file has its parameters. */
function ownerOf({ name, definition, position }: PluginEntry): string {
  return position === undefined ? name.replace(/-producer$/, "") : definition.type;
}

/** How much of a prompt the prefix cache can see, in bytes and about how many tokens. */
function reachRemark(entries: readonly PluginEntry[]): string | undefined {
  for (const entry of entries) {
    const { hashBlockSize, maxPrefixBlocksToMatch } = writtenParameters(entry);
    if (typeof hashBlockSize !== "number" || typeof maxPrefixBlocksToMatch !== "number") continue;
    const bytes = hashBlockSize * maxPrefixBlocksToMatch;
    return `${maxPrefixBlocksToMatch} blocks of ${hashBlockSize} bytes are ${bytes} bytes, about ${Math.round(bytes / 4)} tokens: what two prompts share beyond that is not seen.`;
  }
  return undefined;
}
