import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { ENVOY_MISSING } from "../fixtures/running-envoy.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Ports of the walk-through: what it starts, with Envoy's admin and the picker's own. */
const PORTS = [8000, 8001, 8081, 9002, 9003, 9090, 19_000];

const [, section = ""] = readFileSync(join(ROOT, "README.md"), "utf8").split("\n## Behind Envoy\n");
const [setup = "", commands = ""] = Array.from(
  section.matchAll(/^```sh\n(.*?)^```$/gms),
  ([, text]) => text ?? "",
);

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isFree = await once(server.listen(port, "127.0.0.1"), "listening").then(
    () => true,
    () => false,
  );
  server.close();
  return isFree;
}

test("envoy: the walk-through of the README does what it says", {
  timeout: 120_000,
}, async (context) => {
  if (ENVOY_MISSING !== false) {
    assert.ok(ENVOY_MISSING.includes(setup.trim()), "the message names the documented command");
    context.skip(ENVOY_MISSING);
    return;
  }
  for (const port of PORTS) {
    if (await isFree(port)) continue;
    context.skip(`port ${port} of the walk-through is taken`);
    return;
  }
  // A group of its own: what the commands leave in the background ends with it.
  const path = `${dirname(process.execPath)}:${process.env["PATH"]}`;
  const shell = spawn("bash", ["-c", commands], {
    cwd: ROOT,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-100_000);
    });
  }
  const { pid } = shell;
  assert.ok(pid !== undefined);
  try {
    await once(shell, "exit");
    const answer = output.slice(output.lastIndexOf("HTTP/1.1 200 OK"));
    const decision = /^x-switchyard-decision: pool\.(\d+)/m.exec(answer)?.[1];
    assert.match(answer, /^x-switchyard-endpoint: gpu-[01]$/m, output);
    assert.match(answer, /"completion_tokens":16/, output);
    assert.ok(answer.includes(`"pool.${decision}"`), output);
  } finally {
    process.kill(-pid, "SIGTERM");
    while (!(await Promise.all(PORTS.map(isFree))).every(Boolean)) {
      await new Promise((done) => setTimeout(done, 50));
    }
  }
});
