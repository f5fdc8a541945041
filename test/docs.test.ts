import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { checkFacts } from "../src/app/check-facts.ts";
import { neutralState } from "../src/app/endpoint-state.ts";
import { explainRequest } from "../src/app/explain-request.ts";
import { builtinRegistry } from "../src/app/plugin-registry.ts";
import { readModelFile } from "../src/app/read-model-file.ts";
import { flagOf, ROUTER_OPTION_HELP } from "../src/app/router-options.ts";
import { checkFiles } from "../src/check/check-files.ts";
import { findTarget, type Target } from "../src/check/targets.ts";
import { API_VERSIONS, CONFIG_KIND } from "../src/config/compatibility.ts";
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
import { inertPlugins } from "../src/plugins/inert-plugins.ts";
import { brokenLinks } from "./fixtures/markdown-links.ts";

const ROOT = join(import.meta.dirname, "..");

const PAGES: readonly string[] = [
  ...(existsSync(join(ROOT, "README.md")) ? ["README.md"] : []),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test("docs: every link leads somewhere", () => {
  // A folder is a place too; it has no headings.
  const readOptional = (path: string): string | undefined => {
    const found = statSync(join(ROOT, path), { throwIfNoEntry: false });
    return found?.isDirectory() ? "" : found && read(path);
  };
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

const INERT_SECTION = "Types without effect";

test("docs: plugins.md has a section for each builtin plugin in its order, then one for the rest", () => {
  const written = sectionsOf(read("docs/plugins.md")).map(([title]) => title);
  const want = builtinPlugins.map(({ type }) => `\`${type}\``);
  assert.deepEqual(written, [...want, INERT_SECTION]);
});

test("docs: plugins.md lists every type without effect", () => {
  const rows = tableIn("docs/plugins.md", INERT_SECTION);
  const written = rows.flatMap(([, types = ""]) => namesIn(types));
  assert.deepEqual(written.toSorted(), inertPlugins.map(({ type }) => type).toSorted());
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
    assert.match(section, /```yaml\n[\s\S]*?kind: EndpointPickerConfig/, "example");
    for (const part of ["What", "Formula", "Consumes", "Parameters", "Example"]) {
      assert.ok(section.includes(`**${part}.**`), part);
    }
  });
}

for (const { type } of builtinPlugins) {
  test(`docs: the parameters that the section of ${type} lists are parameters`, () => {
    const [, part = ""] =
      /\*\*Parameters\.\*\*([\s\S]*?)\*\*Example/.exec(
        sectionOf("docs/plugins.md", `\`${type}\``),
      ) ?? [];
    const names = Array.from(part.matchAll(/^\| (`.*?) \|/gm), ([, cell = ""]) =>
      namesIn(cell),
    ).flat();
    assert.deepEqual(
      names.filter((name) => !isParameter(type, name)),
      [],
    );
    assert.equal(isParameter(type, "noSuchParameter"), false);
  });
}

for (const { page, line, text } of PAGES.flatMap(yamlBlocksIn)) {
  test(`docs: the configuration at ${page}:${line} loads, passes check and schedules`, () => {
    const registry = builtinRegistry();
    assert.deepEqual(
      checkFiles([{ file: page, text }], {
        target: findTargetOrFail("switchyard"),
        facts: checkFacts(undefined),
        registry,
        allowAlpha: true,
        running: undefined,
      }).filter(({ severity }) => severity === "error"),
      [],
    );
    const config = loadRouterConfig({ text, file: page, registry, allowAlpha: true });
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

function findTargetOrFail(name: string): Target {
  const target = findTarget(name);
  invariant(target !== undefined, name);
  return target;
}

test("docs: the model of simulated-engine.md makes an engine", () => {
  const [, text = ""] = /```json\n([\s\S]*?)```/.exec(read("docs/simulated-engine.md")) ?? [];
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

for (const [page, title] of [
  ["README.md", "Commands"],
  ["docs/ARCHITECTURE.md", "Problem"],
] as const) {
  test(`docs: ${page} has a line for each command`, () => {
    const written = tableIn(page, title).map(([cell = ""]) => cell.match(/switchyard (\w+)/)?.[1]);
    const main = read("src/cli/main.ts");
    const commands = Array.from(main.matchAll(/^ +(\w+)Command\(\),$/gm), ([, name]) => name);
    assert.ok(commands.length > 3, "commands are found");
    assert.deepEqual(written.toSorted(), commands.toSorted());
  });
}

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

/** What stands between back quotes. */
function namesIn(cell: string): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => name);
}

/** Whether a plugin knows the parameter, given as `key` or `key.key`. */
function isParameter(type: string, name: string): boolean {
  // An empty list has no keys of its own that could be unknown.
  const parameters = name.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), []);
  const [apiVersion] = API_VERSIONS;
  const text = JSON.stringify({
    apiVersion,
    kind: CONFIG_KIND,
    plugins: [{ type, parameters }],
  });
  try {
    loadRouterConfig({ text, file: type, registry: builtinRegistry(), allowAlpha: true });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const path = `plugins[0].parameters.${name}`;
    return !error.faults.some(
      (fault) => fault.path === path && /^unknown field|takes no parameters$/.test(fault.message),
    );
  }
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
  return Array.from(text.matchAll(/^```yaml\n([\s\S]*?)^```/gm), ({ index, 1: block = "" }) => ({
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
