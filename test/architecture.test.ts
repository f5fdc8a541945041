import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { builtinPlugins } from "../src/plugins/builtin-plugins.ts";
import { type ArchitectureRules, architectureFaults } from "./fixtures/architecture-rules.ts";
import { brokenLinks, headingsOf } from "./fixtures/markdown-links.ts";

const ROOT = join(import.meta.dirname, "..");

/** Who may import whom; an area that is not here may import nothing and is itself a fault. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  request: ["core"],
  endpoints: ["core"],
  engine: ["core"],
  plugin: ["core", "request", "endpoints"],
  plugins: ["core", "request", "endpoints", "plugin"],
  scheduling: ["core", "request", "endpoints", "plugin"],
  "flow-control": ["core", "request", "endpoints", "plugin"],
  director: ["core", "request", "endpoints", "plugin", "scheduling", "flow-control"],
  config: ["core", "plugin"],
  manifest: ["core", "config"],
  check: ["core", "config", "manifest", "plugin"],
  datalayer: ["core", "request", "endpoints", "plugin"],
  discovery: ["core", "request", "endpoints", "plugin"],
  telemetry: ["core", "request", "endpoints", "plugin"],
  sidecar: ["core", "request", "dispatch"],
  dispatch: ["core", "request", "endpoints", "director", "sidecar/connectors"],
  front: ["core", "request", "director", "dispatch"],
  "engine-server": ["core", "engine", "request"],
  sim: [
    "core",
    "config",
    "manifest",
    "request",
    "endpoints",
    "engine",
    "plugin",
    "plugins",
    "scheduling",
    "flow-control",
    "director",
  ],
  compare: ["core", "manifest", "sim"],
  app: [
    "core",
    "request",
    "endpoints",
    "engine",
    "plugin",
    "plugins",
    "scheduling",
    "flow-control",
    "director",
    "config",
    "manifest",
    "check",
    "datalayer",
    "discovery",
    "telemetry",
    "sidecar",
    "dispatch",
    "front",
    "engine-server",
  ],
  cli: ["core", "config", "manifest", "check", "compare", "sim", "app"],
};

const RULES: ArchitectureRules = {
  imports: IMPORTS,
  packages: {
    zod: ["config", "manifest", "plugin", "plugins", "discovery", "app"],
    yaml: ["config", "manifest", "discovery", "cli"],
    undici: ["datalayer", "engine-server"],
    "prom-client": ["telemetry", "engine-server"],
    pino: ["telemetry"],
    commander: ["cli"],
    "@bufbuild": ["front"],
    zeromq: ["datalayer", "engine-server"],
    "@msgpack": ["engine-server"],
    "gpt-tokenizer": ["datalayer"],
    "@kubernetes": ["discovery"],
  },
  deterministic: [
    "core",
    "config",
    "manifest",
    "check",
    "request",
    "endpoints",
    "plugin",
    "plugins",
    "scheduling",
    "flow-control",
    "director",
    "engine",
    "sim",
    "compare",
  ],
  entries: ["src/cli/main.ts", "src/app/router-thread.ts", "src/telemetry/metrics-page.ts"],
};

function sourceFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    // Generated: its shape is the generator's, and protos.test.ts compares it with its source.
    if (entry.parentPath.includes("/front/extproc/gen")) continue;
    const full = join(entry.parentPath, entry.name);
    files.set(full.slice(ROOT.length + 1), readFileSync(full, "utf8"));
  }
  return files;
}

/** Text of a file, empty for a folder, undefined for nothing. */
function readOptional(path: string): string | undefined {
  const full = join(ROOT, path);
  if (!existsSync(full)) return undefined;
  return statSync(full).isFile() ? readFileSync(full, "utf8") : "";
}

test("architecture: the sources keep every rule", () => {
  const files = sourceFiles();
  assert.ok(files.size > 100, `only ${files.size} source files were found`);
  assert.deepEqual(architectureFaults(files, RULES), []);
});

test("architecture: links of README and docs lead somewhere", () => {
  const docs = existsSync(join(ROOT, "docs")) ? readdirSync(join(ROOT, "docs")) : [];
  const pages = [
    "README.md",
    ...docs.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ];
  const broken = pages.flatMap((page) => {
    const text = readOptional(page);
    return text === undefined ? [] : brokenLinks(page, text, readOptional);
  });
  assert.deepEqual(broken, []);
});

test("architecture: docs/plugins.md has a section for every builtin plugin", (context) => {
  const page = readOptional("docs/plugins.md");
  if (page === undefined) return context.skip("docs/plugins.md is not there");
  const headings = headingsOf(page);
  const missing = builtinPlugins
    .map(({ type }) => type)
    .filter((type) => !headings.some((heading) => heading.match(/[\w-]+/g)?.includes(type)));
  assert.deepEqual(missing, []);
});

test("architecture: the runtime strips types and is Node 24 or newer", () => {
  const [major] = process.versions.node.split(".");
  assert.ok(Number(major) >= 24, `Node ${process.versions.node}`);
});

/** One planted file, and the sentence that reports it; undefined is allowed. */
const planted: readonly [path: string, source: string, want: string | undefined][] = [
  [
    "src/core/a.ts",
    'import { x } from "../plugin/x.ts";',
    "src/core/a.ts: core must not import plugin",
  ],
  [
    "src/core/a.ts",
    'import type { X } from "../plugin/x.ts";',
    "src/core/a.ts: core must not import plugin",
  ],
  [
    "src/core/a.ts",
    'export {\n  x,\n} from "../plugin/x.ts";',
    "src/core/a.ts: core must not import plugin",
  ],
  [
    "src/front/http/a.ts",
    'const x = await import("../../plugins/x.ts");',
    "src/front/http/a.ts: front must not import plugins",
  ],
  ["src/director/a.ts", 'import { x } from "../scheduling/x.ts";', undefined],
  ["src/core/a.test.ts", 'import { x } from "../plugin/x.ts";', undefined],
  ["src/core/a.ts", '// import { x } from "../plugin/x.ts";', undefined],
  ["src/dispatch/a.ts", 'import { x } from "../sidecar/connectors/x.ts";', undefined],
  [
    "src/dispatch/a.ts",
    'import { x } from "../sidecar/x.ts";',
    "src/dispatch/a.ts: dispatch must not import sidecar",
  ],
  [
    "src/plugins/scorer/a.ts",
    'import { x } from "./b.ts";',
    "src/plugins/scorer/a.ts: a plugin must not import another plugin",
  ],
  ["src/plugins/scorer/mine/a.ts", 'import { x } from "./b.ts";', undefined],
  ["src/plugins/builtin-plugins.ts", 'import { x } from "./scorer/b.ts";', undefined],
  [
    "src/engine/a.ts",
    'import { readFile } from "node:fs/promises";',
    "src/engine/a.ts: engine must not import node:fs/promises: files and sockets are ports",
  ],
  ["src/dispatch/a.ts", 'import http from "node:http";', undefined],
  [
    "src/director/a.ts",
    'import { z } from "zod";',
    "src/director/a.ts: director must not import the package zod",
  ],
  ["src/plugin/a.ts", 'import { z } from "zod";', undefined],
  [
    "src/app/a.ts",
    'import x from "left-pad";',
    "src/app/a.ts: app must not import the package left-pad",
  ],
  [
    "src/core/a.ts",
    'import x from "../../test/x.ts";',
    "src/core/a.ts: ../../test/x.ts is outside of src",
  ],
  [
    "src/plugin/a.ts",
    "\nconst t = Date.now();",
    "src/plugin/a.ts:2: plugin must not use the wall clock; use a nowMs argument or the Clock port",
  ],
  [
    "src/sim/a.ts",
    `const t = \`at \${performance.now()} ms\`;`,
    "src/sim/a.ts:1: sim must not use performance; use the Clock port",
  ],
  [
    "src/engine/a.ts",
    "const x = Math.random();",
    "src/engine/a.ts:1: engine must not use Math.random; use the Rng port",
  ],
  [
    "src/director/a.ts",
    "setTimeout(f, 1);",
    "src/director/a.ts:1: director must not use a timer; use nextDeadlineMs and tick, whose driver owns the timer",
  ],
  [
    "src/config/a.ts",
    "const x = process.env;",
    "src/config/a.ts:1: config must not use process; use an argument",
  ],
  [
    "src/check/a.ts",
    "console.log(1);",
    "src/check/a.ts:1: check must not use console; use the Log port",
  ],
  [
    "src/plugins/a.ts",
    "const x = fetch(url);",
    "src/plugins/a.ts:1: plugins must not use fetch; use a column that the data layer fills",
  ],
  [
    "src/plugins/a.ts",
    "const p = { async score() {} };",
    "src/plugins/a.ts:1: plugins must not use an async plugin role; use a synchronous one",
  ],
  ["src/core/a.ts", "// Date.now and process.env are elsewhere\n/* console.log */", undefined],
  ["src/core/a.ts", "const x = \"Date.now\" + 'process.env' + `fetch(`;", undefined],
  ["src/core/a.ts", 'const quote = /"/; const y = a / b / c; // "', undefined],
  ["src/core/a.ts", 'const x = Uint8Array.from("left-pad");', undefined],
  ["src/core/a.ts", "store.fetch(1); this.process.x; obj.setTimeout;", undefined],
  ["src/app/a.ts", "setTimeout(f, Date.now());", undefined],
  ["src/core/a.ts", "x;\n".repeat(401), "src/core/a.ts has 401 lines; the limit is 400"],
  ["src/core/a.ts", "x;\n".repeat(400), undefined],
  ["src/core/utils.ts", "", "src/core/utils.ts: a file is named after its main export"],
  ["src/core/index.test.ts", "", "src/core/index.test.ts: a file is named after its main export"],
  ["src/a/b.ts", "", "src/a/b.ts is in no known area"],
  ["src/plugins/a/b/c.ts", "", undefined],
  ["src/plugins/a/b/c/d.ts", "", "src/plugins/a/b/c/d.ts is too deep; the limit is three folders"],
];
for (const [path, source, want] of planted) {
  const shown = JSON.stringify(source.slice(0, 60));
  test(`architecture: ${path} with ${shown} is ${want === undefined ? "let through" : "reported"}`, () => {
    const faults = architectureFaults(new Map([[path, source]]), { ...RULES, entries: [path] });
    assert.deepEqual(faults, want === undefined ? [] : [want]);
  });
}

test("architecture: a file that only tests import, or nobody, is dead", () => {
  const files = new Map([
    ["src/cli/main.ts", 'import { a } from "./a.ts";\nnew URL("./c.ts", import.meta.url);'],
    ["src/cli/a.ts", ""],
    ["src/cli/b.ts", ""],
    ["src/cli/b.test.ts", 'import { b } from "./b.ts";'],
    ["src/cli/c.ts", ""],
  ]);
  assert.deepEqual(architectureFaults(files, RULES), ["src/cli/b.ts is imported by nobody"]);
});

test("architecture: broken links are found outside of code only", () => {
  const text = [
    "# A page",
    "[here](#a-page) [there](b.md#two-words) [web](https://example.org) [file](../src)",
    "[gone](c.md) [no heading](b.md#three) `[code](d.md)`",
    "```\n[fenced](e.md)\n```",
  ].join("\n");
  const read = (path: string): string | undefined =>
    ({ "docs/b.md": "## Two `words`", src: "" })[path];
  assert.deepEqual(brokenLinks("docs/a.md", text, read), [
    "docs/a.md: c.md is not there",
    "docs/a.md: b.md#three has no such heading",
  ]);
});
