import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RunningUp, runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
const MANIFEST = "examples/gpt-oss-20b.yaml";

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const REQUEST = written(
  "chat.json",
  JSON.stringify({
    model: "openai/gpt-oss-20b",
    messages: [{ role: "user", content: "Hello. ".repeat(100) }],
  }),
);

test("explain: shows each candidate's fate against idle and given endpoints", async () => {
  const idle = await runCli(["explain", "examples/gpt-oss-20b.yaml", "--request", REQUEST]);
  assert.equal(idle.code, 0, idle.stderr);
  assert.match(idle.stdout, /profile default \(max-score-picker\)/);
  assert.match(idle.stdout, /by lot/);
  const state = written(
    "state.json",
    JSON.stringify(
      [0, 2, 4, 10].map((waitingQueueDepth, index) => ({
        name: `pod-${index}`,
        attributes: { waitingQueueDepth, kvCacheUsage: [0.1, 0.5, 0.2, 0.9][index] },
      })),
    ),
  );
  const args = ["explain", "examples/gpt-oss-20b.yaml", "--request", REQUEST, "--state", state];
  const given = JSON.parse((await runCli([...args, "--json"])).stdout) as {
    endpoint: string;
    profiles: readonly { candidates: readonly { total: number }[] }[];
  };
  assert.equal(given.endpoint, "pod-0");
  const totals = given.profiles[0]?.candidates.map(({ total }) => Number(total.toFixed(3)));
  assert.deepEqual(totals, [1.9, 1.3, 1.4, 0.1]);
});

test("explain: shows both stages of a split request and who was filtered out", async () => {
  const request = written("pd.json", JSON.stringify({ model: "Qwen/Qwen3-0.6B", prompt: "Hi" }));
  const split = await runCli(["explain", "examples/qwen-pd.yaml", "--request", request]);
  assert.equal(split.code, 0, split.stderr);
  assert.match(split.stdout, /rejected +by +reason/);
  assert.match(split.stdout, /qwen-pd-prefill-0 +decode-filter +role is prefill/);
  assert.match(split.stdout, /prefill on qwen-pd-prefill-\d, then decode on qwen-pd-decode-\d/);
  const args = [
    "explain",
    "examples/qwen-pd.yaml",
    "--request",
    request,
    "--header",
    "x-prefill:true",
  ];
  const alone = await runCli(args);
  assert.match(alone.stdout, /endpoint qwen-pd-prefill-\d/);
});

test("explain: what would flip the decision is told figure by figure, and does flip it", async () => {
  const states = [
    { name: "a", attributes: { waitingQueueDepth: 0, kvCacheUsage: 0.2 }, cachedPrefixBytes: 0 },
    { name: "b", attributes: { waitingQueueDepth: 8, kvCacheUsage: 0.1 }, cachedPrefixBytes: 128 },
    { name: "c", attributes: { waitingQueueDepth: 10, kvCacheUsage: 0.9 }, cachedPrefixBytes: 0 },
  ];
  const ask = async (endpoints: readonly object[]) => {
    const state = written("flip.json", JSON.stringify(endpoints));
    const args = ["explain", MANIFEST, "--request", REQUEST, "--state", state, "--json"];
    return JSON.parse((await runCli(args)).stdout) as {
      endpoint: string;
      flips: readonly { figure: string; endpoint: string; from: number; to: number }[];
    };
  };
  const { endpoint, flips } = await ask(states);
  assert.equal(endpoint, "a");
  assert.deepEqual(
    flips.map(({ figure, from }) => [figure, from]),
    [
      ["waitingQueueDepth", 8],
      ["cachedPrefixBytes", 128],
    ],
  );
  for (const { figure, to } of flips) {
    const changed = states.map((state) => {
      if (state.name !== "b") return state;
      if (figure === "cachedPrefixBytes") return { ...state, cachedPrefixBytes: to };
      return { ...state, attributes: { ...state.attributes, waitingQueueDepth: to } };
    });
    assert.equal((await ask(changed)).endpoint, "b", figure);
  }
});

test("explain: --diff shows the same request under another configuration side by side", async () => {
  const text = readFileSync(MANIFEST, "utf8");
  const other = written(
    "other.yaml",
    text
      .replace("type: max-score-picker", "type: random-picker")
      .replaceAll("pluginRef: max-score-picker", "pluginRef: random-picker"),
  );
  const { code, stdout, stderr } = await runCli([
    "explain",
    MANIFEST,
    "--request",
    REQUEST,
    "--diff",
    other,
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^profile +endpoint +examples\/gpt-oss-20b.yaml +.*other.yaml$/m);
  assert.equal(stdout.match(/^default +gpt-oss-20b-\d +\d\. /gm)?.length, 4);
});

test("explain: a decision of a running router is shown the same way, an unknown one is named", async () => {
  await using up = await RunningUp.start([MANIFEST, "--replicas", "2"]);
  const answer = await fetch(`${up.url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "openai/gpt-oss-20b", prompt: "Hi", max_tokens: 1 }),
  });
  await answer.arrayBuffer();
  const id = answer.headers.get("x-switchyard-decision") ?? "";
  const shown = await runCli(["explain", "--decision", id, "--admin", up.adminUrl]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /profile default \(max-score-picker\)/);
  assert.match(shown.stdout, new RegExp(`endpoint ${answer.headers.get("x-switchyard-endpoint")}`));
  const unknown = await runCli(["explain", "--decision", "nobody.1", "--admin", up.adminUrl]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /the router has no decision nobody\.1/);
});

test("explain: a scorer from outside of the tree takes part, and a file without one is refused", async () => {
  const source = readFileSync("examples/plugins/fewest-in-flight-scorer.ts", "utf8");
  const plugin = written("my-scorer.ts", source);
  const config = written(
    "picker.yaml",
    [
      "apiVersion: llm-d.ai/v1alpha1",
      "kind: EndpointPickerConfig",
      "plugins:",
      "- type: fewest-in-flight-scorer",
      "schedulingProfiles:",
      "- name: default",
      "  plugins:",
      "  - pluginRef: fewest-in-flight-scorer",
    ].join("\n"),
  );
  const state = written("two.json", JSON.stringify([{ name: "a" }, { name: "b" }]));
  const args = ["explain", config, "--request", REQUEST, "--state", state, "--plugin"];
  const shown = await runCli([...args, plugin]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /fewest-in-flight-scorer x1/);
  const empty = await runCli([...args, written("empty.ts", "export const nothing = 1;")]);
  assert.equal(empty.code, 2);
  assert.match(empty.stderr, /empty\.ts must export `plugin`/);
});
