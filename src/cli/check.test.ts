import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";

const root = new URL("../../", import.meta.url).pathname;
const SINGLE = "examples/gpt-oss-20b.yaml";

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function check(...args: readonly string[]): Promise<Outcome> {
  const command = ["src/cli/main.ts", "check", ...args];
  const child = spawn(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [[code], out, err] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, out, err };
}

for (const { name, args, code } of [
  { name: "warnings alone pass", args: [SINGLE], code: 0 },
  { name: "--strict fails on warnings", args: [SINGLE, "--strict"], code: 1 },
  { name: "an error of the target fails", args: [SINGLE, "--target", "kserve-0.18"], code: 1 },
  { name: "a file that is read and invalid fails", args: ["package.json"], code: 1 },
  { name: "a file that is not there is wrong usage", args: ["nowhere.yaml"], code: 2 },
  { name: "an unknown target is wrong usage", args: [SINGLE, "--target", "moon"], code: 2 },
  { name: "--live that nobody answers", args: [SINGLE, "--live", "http://127.0.0.1:1"], code: 2 },
]) {
  test(`check: ${name}`, async () => {
    const outcome = await check(...args);
    assert.equal(outcome.code, code, outcome.err);
    assert.equal(outcome.err === "", code < 2);
  });
}

test("check: --json prints the findings as an array", async () => {
  const { out } = await check(SINGLE, "--json");
  const found: unknown = JSON.parse(out);
  assert.ok(Array.isArray(found) && found.length > 0);
  assert.deepEqual(Object.keys(found[0]), [
    "rule",
    "severity",
    "message",
    "why",
    "fix",
    "position",
  ]);
});

test("check: --live reads both paths of the admin API", async () => {
  const paths: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    paths.push(url);
    response.end(url === "/api/endpoints" ? "[]" : '{"pools":[]}');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { code, out, err } = await check(SINGLE, "--live", `http://127.0.0.1:${port}`);
  server.close();
  assert.deepEqual(paths.toSorted(), ["/api/config", "/api/endpoints"]);
  assert.equal(code, 1, err);
  assert.ok(out.includes("error[R6]"));
});
