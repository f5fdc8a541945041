import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RunningUp } from "../fixtures/running-up.ts";

test("rewrite: an InferenceModelRewrite beside the manifest lets a model answer under another name", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "switchyard-")), "service.yaml");
  const rewrite = [
    "---",
    "apiVersion: inference.networking.x-k8s.io/v1alpha2",
    "kind: InferenceModelRewrite",
    "metadata:",
    "  name: alias",
    "spec:",
    "  rules:",
    "  - matches:",
    "    - model:",
    "        value: house-model",
    "    targets:",
    "    - modelRewrite: openai/gpt-oss-20b",
    "",
  ].join("\n");
  writeFileSync(file, `${readFileSync("examples/gpt-oss-20b.yaml", "utf8")}\n${rewrite}`);
  await using up = await RunningUp.start([file, "--replicas", "1"]);
  const ask = (model: string): Promise<Response> =>
    fetch(`${up.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model, prompt: "Who answers?", max_tokens: 2, seed: 9 }),
    });
  const renamed = await ask("house-model");
  assert.equal(renamed.status, 200);
  const id = renamed.headers.get("x-switchyard-decision");
  const { request } = await up.admin<{ request: { model: string; askedModel: string } }>(
    `/api/decisions/${id}`,
  );
  assert.equal(request.model, "openai/gpt-oss-20b");
  assert.equal(request.askedModel, "house-model");
  assert.equal((await ask("other-model")).status, 404);
});
