import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { builtinRegistry } from "../src/app/builtin-registry.ts";
import { neutralState } from "../src/app/endpoint-state.ts";
import { explainRequest } from "../src/app/explain-request.ts";
import { readModelFile } from "../src/app/read-model-file.ts";
import { flagOf, ROUTER_OPTION_HELP } from "../src/app/router-options.ts";
import { loadRouterConfig } from "../src/config/load-router-config.ts";
import { endpointId } from "../src/core/brand.ts";
import { ConfigError } from "../src/core/config-error.ts";
import { invariant } from "../src/core/invariant.ts";
import { REJECTION_ANSWERS } from "../src/core/rejection.ts";
import { ROUTER_ERROR_CODES } from "../src/core/router-error.ts";
import { ROLE_LABEL } from "../src/endpoints/endpoint-table.ts";
import { fillEngineConfig } from "../src/engine/engine-config.ts";
import { findGpu, GPU_NAMES } from "../src/engine/gpus.ts";
import { kvBlockCount } from "../src/engine/kv-capacity.ts";
import { weightBytes } from "../src/engine/model-spec.ts";
import { findModel, MODEL_NAMES } from "../src/engine/models.ts";
import { builtinPlugins } from "../src/plugins/builtin-plugins.ts";
import { brokenLinks } from "./fixtures/markdown-links.ts";

const ROOT = join(import.meta.dirname, "..");

const PAGES: readonly string[] = [
  ...(existsSync(join(ROOT, "README.md")) ? ["README.md"] : []),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test("docs: every link leads somewhere", () => {
  const readOptional = (path: string): string | undefined =>
    existsSync(join(ROOT, path)) ? read(path) : undefined;
  const broken = PAGES.flatMap((page) => brokenLinks(page, read(page), readOptional));
  assert.deepEqual(broken, []);
});

test("docs: errors.md has every rejection with its answer", () => {
  const written = tableIn("docs/errors.md", "Rejections").map((cells) => cells.slice(0, 5));
  const want = Object.entries(REJECTION_ANSWERS).map(([reason, answer]) => [
    `\`${reason}\``,
    String(answer.status),
    `\`${answer.type}\``,
    answer.code === null ? "null" : `\`${answer.code}\``,
    answer.retryAfterSeconds === undefined ? "–" : String(answer.retryAfterSeconds),
  ]);
  assert.deepEqual(written, want);
});

test("docs: errors.md has every router error", () => {
  const written = tableIn("docs/errors.md", "Router errors").map(([code]) => code);
  assert.deepEqual(
    written,
    ROUTER_ERROR_CODES.map((code) => `\`${code}\``),
  );
});

test("docs: plugins.md has a section for each builtin plugin and for no other", () => {
  const written = sectionsOf(read("docs/plugins.md")).map(([title]) => title);
  const want = builtinPlugins.map(({ type }) => `\`${type}\``);
  assert.deepEqual(written.toSorted(), want.toSorted());
});

for (const { type, roles, stability, consumes = [], reads = [], produces = [] } of builtinPlugins) {
  test(`docs: the section of ${type} says what the plugin declares`, () => {
    const section = sectionOf("docs/plugins.md", `\`${type}\``);
    const declared = roles.map((role) => `\`${role}\``).join(", ");
    assert.ok(section.includes(`Roles: ${declared}. Stability: ${stability}.`), "roles");
    const names = [...consumes, ...reads, ...produces].map(({ name }) => `\`${name}\``);
    assert.deepEqual(
      names.filter((name) => !section.includes(name)),
      [],
    );
    assert.match(section, /```yaml\n[^]*?kind: EndpointPickerConfig/, "example");
    for (const part of ["What", "Formula", "Consumes", "Parameters", "Example"]) {
      assert.ok(section.includes(`**${part}.**`), part);
    }
  });
}

for (const { page, line, text } of PAGES.flatMap(yamlBlocksIn)) {
  test(`docs: the configuration at ${page}:${line} loads and schedules a request`, () => {
    const config = loadRouterConfig({ text, file: page, registry: builtinRegistry() });
    const decision = explainRequest({
      pool: "pool",
      config,
      modelName: "",
      endpoints: ["decode", "prefill", "both"].map((role) =>
        neutralState(endpointId(`${role}-0`), { [ROLE_LABEL]: role }),
      ),
      // Long enough for every threshold of an example.
      request: { body: bodyOf("Tell me more. ".repeat(1000)), file: page, headers: {} },
      seed: 1,
    });
    assert.equal(decision.rejection, null);
    assert.notEqual(decision.endpoint, null);
    const hasPrefill = config.profiles.some(({ name }) => name === "prefill");
    assert.equal(decision.prefillEndpoint !== null, hasPrefill);
  });
}

test("docs: the model of simulated-engine.md makes an engine", () => {
  const [, text = ""] = /```json\n([^]*?)```/.exec(read("docs/simulated-engine.md")) ?? [];
  const model = readModelFile({ text, file: "docs/simulated-engine.md" });
  const gpu = findGpu("H100");
  invariant(gpu !== undefined, "H100");
  assert.equal(fillEngineConfig({ model, gpu }).maxModelLen, model.contextTokens);
});

test("docs: simulated-engine.md has the models as they are", () => {
  const gpu = findGpu("H100");
  invariant(gpu !== undefined, "H100");
  const want = MODEL_NAMES.map((name) => {
    const model = findModel(name);
    invariant(model !== undefined, name);
    const capacity = {
      model,
      gpu,
      tensorParallel: 1,
      gpuMemoryUtilization: 0.9,
      blockTokens: 16,
    };
    const gigabytes = (weightBytes(model) / 1e9).toFixed(1);
    return [`\`${name}\``, gigabytes, String(model.contextTokens), blocksText(capacity)];
  });
  assert.deepEqual(tableIn("docs/simulated-engine.md", "Models"), want);
});

test("docs: simulated-engine.md has the GPUs as they are", () => {
  const want = GPU_NAMES.map((name) => {
    const gpu = findGpu(name);
    invariant(gpu !== undefined, name);
    const numbers = [
      gpu.flopsPerSecond / 1e12,
      gpu.memoryBytesPerSecond / 1e12,
      gpu.memoryBytes / 2 ** 30,
      gpu.linkBytesPerSecond / 1e9,
      gpu.gemmEfficiency,
    ];
    return [`\`${name}\``, ...numbers.map((value) => String(Number(value.toPrecision(6))))];
  });
  assert.deepEqual(tableIn("docs/simulated-engine.md", "GPUs"), want);
});

test("docs: ARCHITECTURE.md has a line for each room", () => {
  const written = tableIn("docs/ARCHITECTURE.md", "Tree").map(([room = ""]) => room.split("/")[0]);
  const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `\`${name}`);
  assert.deepEqual(written.toSorted(), rooms.toSorted());
});

test("docs: limits that the request path and the errors name are options", () => {
  const options = new Set(Object.keys(ROUTER_OPTION_HELP).map(flagOf));
  const named = ["docs/request-path.md", "docs/errors.md"].flatMap((page) =>
    Array.from(
      read(page).matchAll(/--[a-z-]+-(?:ms|max|bytes|limit|endpoint)\b/g),
      ([flag]) => flag,
    ),
  );
  assert.ok(named.length > 10, "flags are found");
  assert.deepEqual(
    named.filter((flag) => !options.has(flag)),
    [],
  );
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Titles and texts of the sections of level 2. */
function sectionsOf(text: string): readonly (readonly [title: string, text: string])[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end)] as const;
    });
}

function sectionOf(page: string, title: string): string {
  const section = sectionsOf(read(page)).find(([name]) => name === title);
  assert.ok(section !== undefined, `${page} has no section ${title}`);
  return section[1];
}

/** Cells of the section's first table, without its head. */
function tableIn(page: string, title: string): readonly (readonly string[])[] {
  const [table = ""] = /(?:^\|.*\|\n)+/m.exec(sectionOf(page, title)) ?? [];
  return table
    .trimEnd()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

interface YamlBlock {
  readonly page: string;
  /** Of the block's first line, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Configurations among the yaml blocks of a page. */
function yamlBlocksIn(page: string): readonly YamlBlock[] {
  const text = read(page);
  return Array.from(text.matchAll(/^```yaml\n([^]*?)^```/gm), ({ index, 1: block = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length + 1,
    text: block,
  })).filter((block) => /^kind: EndpointPickerConfig$/m.test(block.text));
}

function bodyOf(content: string): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({ model: "m", messages: [{ role: "user", content }] }),
  );
}

function blocksText(capacity: Parameters<typeof kvBlockCount>[0]): string {
  try {
    return String(kvBlockCount(capacity));
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return "does not fit";
  }
}
