import type { Service } from "../manifest/service.ts";
import {
  architectureOf,
  choiceOf,
  connectorText,
  eachPool,
  endpointsOf,
  extendedText,
  gpusText,
  networkText,
  pluginTypesOf,
  probeText,
  profilesOf,
  purposeOf,
  resourceText,
  resultOf,
  splitRuleOf,
  tlsText,
  volumeText,
} from "./describe-service.ts";
import { variableMeaning } from "./environment-facts.ts";
import { PLUGIN_CATEGORIES } from "./plugin-facts.ts";
import { parameterTable, pluginTable } from "./plugin-tables.ts";
import { isSplit, type Pair, poolsOf } from "./side.ts";
import { strategyTable, whenTable } from "./strategy-tables.ts";
import type { PairRow, Table } from "./table.ts";
import { ABSENT } from "./text-table.ts";

/** Everything that can be said of two services without running them. */
export function comparisonTables(pair: Pair): readonly Table[] {
  return [
    architectureTable(pair),
    schedulerTable(pair),
    pluginTable(pair),
    parameterTable(pair),
    resourceTable(pair),
    environmentTable(pair),
    variableTable(pair),
    phaseTable(pair),
    strategyTable(pair),
    whenTable(pair),
  ].filter(({ rows }) => rows.length > 0);
}

function architectureTable(pair: Pair): Table {
  return sideBySide("Architecture", pair, [
    ["Architecture type", architectureOf],
    ["Model", ({ modelName, modelUri }) => `${modelName} from ${modelUri}`],
    ["Endpoints", endpointsOf],
    ["Purpose", purposeOf],
    ["Result", resultOf],
  ]);
}

function schedulerTable(pair: Pair): Table {
  return sideBySide("Router scheduler (EndpointPickerConfig)", pair, [
    ...PLUGIN_CATEGORIES.map(
      (category) =>
        [
          `Plugins: ${category}`,
          (service: Service) => pluginTypesOf(service).get(category) ?? ABSENT,
        ] as const,
    ),
    ["Scheduling profiles", profilesOf],
    ["Prompt split from answer", splitRuleOf],
    ["Endpoints of a role chosen by", choiceOf],
  ]);
}

function resourceTable(pair: Pair): Table {
  return sideBySide("Model deployment resources", pair, [
    ["CPU", (service) => eachPool(service, (pool) => resourceText(pool, "cpu"))],
    ["Memory", (service) => eachPool(service, (pool) => resourceText(pool, "memory"))],
    ["GPU", gpusText],
    ["Extra resources", (service) => eachPool(service, extendedText)],
    ["Volume", (service) => eachPool(service, volumeText)],
    ["Networking", networkText],
    ["KV connector", connectorText],
    ["TLS", tlsText],
    ["Liveness", (service) => eachPool(service, probeText)],
    [
      "Tolerations",
      (service) =>
        eachPool(service, ({ tolerations }) => (tolerations.length > 0 ? "yes" : "none")),
    ],
  ]);
}

function environmentTable(pair: Pair): Table {
  return sideBySide(
    "Environment variables",
    pair,
    variableNames(pair).map((name) => [name, (service) => variableText(service, name)] as const),
  );
}

function variableTable(pair: Pair): Table {
  return {
    title: "What the variables do",
    header: ["Variable", "What it does"],
    rows: variableNames(pair).map((name) => {
      const said = [pair.left, pair.right].flatMap(({ label, service }) => {
        const pool = poolsOf(service).find(({ env }) => env.some((found) => found.name === name));
        return pool === undefined ? [] : [{ label, text: variableMeaning(name, pool) ?? UNKNOWN }];
      });
      const isOne = said.every(({ text }) => text === said[0]?.text);
      const lines = said.map(({ label, text }) => (isOne ? text : `${label}: ${text}`));
      return [name, [...new Set(lines)].join("\n")];
    }),
  };
}

const UNKNOWN = "Not known here.";

function phaseTable(pair: Pair): Table {
  const plugins = (category: string) => (service: Service) =>
    (pluginTypesOf(service).get(category) ?? ABSENT).replaceAll("\n", ", ");
  return sideBySide("Phases", pair, [
    ["Handler", plugins("handler")],
    ["Filter", plugins("filter")],
    ["Scorer", plugins("scorer")],
    ["Picker", plugins("picker")],
    ["Networking", networkText],
    [
      "Purpose",
      (service) =>
        isSplit(service)
          ? "inference in two stages, on endpoints of their own"
          : `one pool, ${choiceOf(service) === "lot" ? "spread by lot" : "caches reused and queues kept short"}`,
    ],
  ]);
}

function sideBySide(
  title: string,
  { left, right }: Pair,
  facts: readonly (readonly [aspect: string, fact: (service: Service) => string])[],
): Table {
  const rows = facts.map(
    ([aspect, fact]): PairRow => [aspect, fact(left.service), fact(right.service)],
  );
  return { title, header: ["", left.label, right.label], rows };
}

function variableNames({ left, right }: Pair): readonly string[] {
  const pools = [left, right].flatMap(({ service }) => poolsOf(service));
  return [...new Set(pools.flatMap(({ env }) => env.map(({ name }) => name)))];
}

function variableText(service: Service, name: string): string {
  return eachPool(service, ({ env }) => {
    const variable = env.findLast((candidate) => candidate.name === name);
    if (variable === undefined) return ABSENT;
    return variable.value ?? `from ${variable.valueFrom}`;
  });
}
