import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinRegistry } from "../app/plugin-registry.ts";
import { describeConfig } from "../config/describe-config.ts";
import { ConfigError } from "../core/config-error.ts";
import { loadService } from "../manifest/load-service.ts";
import { config, diagnosticsOf, kindsOf, plugin, service } from "./check-fixture.test.ts";
import { readRunningRouter } from "./running-router.ts";
import { RUNNING_RULES } from "./running-rules.ts";

const CACHE = config(
  [
    plugin("pd-profile-handler", { threshold: 0 }),
    plugin("prefill-header-handler"),
    plugin("prefill-filter"),
    plugin("decode-filter"),
    plugin("prefix-cache-scorer", { hashBlockSize: 64, lruCapacityPerServer: 1000 }),
    plugin("max-score-picker"),
  ],
  {
    prefill: ["prefill-filter", "prefix-cache-scorer*1", "max-score-picker"],
    decode: ["decode-filter", "prefix-cache-scorer*1", "max-score-picker"],
  },
);
const TEXT = service({ prefill: {}, picker: CACHE });

interface Row {
  readonly role?: string | undefined;
  readonly kvBlockTokens?: number | null;
  readonly kvBlockCount?: number | null;
}

/** The answers of a router that runs the file, with changes. */
function answers(rows: readonly Row[], pool: object = {}): ReturnType<typeof readRunningRouter> {
  const loaded = loadService({ text: TEXT, file: "f", registry: builtinRegistry() });
  const endpoints = rows.map(({ role, ...attributes }, index) => ({
    pool: "chat",
    name: `chat-${index}`,
    labels: role === undefined ? {} : { "llm-d.ai/role": role },
    attributes,
  }));
  const description = {
    pool: "chat",
    model: loaded.modelName,
    config: describeConfig(loaded.config),
  };
  const text = JSON.stringify({ pools: [{ ...description, ...pool }] });
  return readRunningRouter(endpoints, JSON.parse(text));
}

const SOUND: readonly Row[] = [
  { role: "decode", kvBlockTokens: 16, kvBlockCount: 1000 },
  { role: "prefill", kvBlockTokens: 16, kvBlockCount: 1000 },
];
const CASES = [
  ["R1 warning", SOUND.map((row) => ({ ...row, kvBlockTokens: 128 })), {}],
  ["R2 warning", SOUND.map((row) => ({ ...row, kvBlockCount: 9000 })), {}],
  ["R2 warning", SOUND.map((row) => ({ ...row, kvBlockCount: 500 })), {}],
  ["R3 error", SOUND.slice(0, 1), {}],
  ["R3 error", SOUND.map((row) => ({ ...row, role: undefined })), {}],
  ["R4 error", SOUND, { model: "another" }],
  ["R5 warning", SOUND, { config: { plugins: [], profiles: [] } }],
  ["R6 error", SOUND, { pool: "another" }],
] as const;

for (const [index, [kind, rows, pool]] of CASES.entries()) {
  test(`check: ${kind} is told of a router that differs so (case ${index})`, () => {
    const kinds = kindsOf(diagnosticsOf([TEXT], "switchyard", answers(rows, pool)));
    assert.ok(kinds.includes(kind), kinds.join(", "));
  });
}

test("check: a router that runs the file as written has no findings of group R", () => {
  const unknown = { role: "both", kvBlockTokens: null, kvBlockCount: null };
  const found = diagnosticsOf([TEXT], "switchyard", answers([...SOUND, unknown]));
  assert.deepEqual(
    found.filter(({ rule }) => rule.startsWith("R")),
    [],
  );
});

test("check: every rule about a running router has a case", () => {
  assert.deepEqual(
    RUNNING_RULES.map(({ id }) => id),
    [...new Set(CASES.map(([kind]) => kind.split(" ")[0]))],
  );
});

for (const { name, endpoints, settings } of [
  { name: "endpoints that are no list", endpoints: {}, settings: { pools: [] } },
  { name: "an endpoint without attributes", endpoints: [{ labels: {} }], settings: { pools: [] } },
  { name: "a configuration without pools", endpoints: [], settings: {} },
  { name: "a configuration that is no object", endpoints: [], settings: null },
]) {
  test(`check: ${name} is refused with the path`, () => {
    assert.throws(
      () => readRunningRouter(endpoints, settings),
      (error) => error instanceof ConfigError && error.message.startsWith("/api/"),
    );
  });
}
