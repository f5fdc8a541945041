import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RunningUp } from "../fixtures/running-up.ts";

interface PoolView {
  readonly lastReload: { readonly result: string; readonly message: string | null } | null;
  readonly inFlight: number;
  readonly config: {
    readonly profiles: readonly { plugins: readonly { pluginRef: string; weight?: number }[] }[];
  };
}

test("reload: a valid change takes effect and keeps the prefix index, an invalid one changes nothing", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "switchyard-")), "service.yaml");
  const text = readFileSync("examples/gpt-oss-20b.yaml", "utf8");
  writeFileSync(file, text);
  await using up = await RunningUp.start([file]);
  const pool = async (): Promise<PoolView> => {
    const { pools } = await up.admin<{ pools: readonly PoolView[] }>("/api/config");
    return pools[0] as PoolView;
  };
  const weightOf = async (plugin: string): Promise<number | undefined> =>
    (await pool()).config.profiles[0]?.plugins.find(({ pluginRef }) => pluginRef === plugin)
      ?.weight;
  const ask = async (extra: object = {}): Promise<Response> =>
    fetch(`${up.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({
        model: "openai/gpt-oss-20b",
        prompt: "The same long beginning. ".repeat(50),
        max_tokens: 2,
        ...extra,
      }),
    });
  const first = await ask();
  const endpoint = first.headers.get("x-switchyard-endpoint");
  const running = await ask({ max_tokens: 100_000, ignore_eos: true, stream: true });

  writeFileSync(file, text.replace("weight: 2.0", "weight: 5.5"));
  await up.until(async () => (await pool()).lastReload?.result === "applied");
  assert.equal(await weightOf("prefix-cache-scorer"), 5.5);
  assert.equal((await pool()).inFlight, 1, "the request under way is still counted");
  const again = await ask();
  assert.equal(again.headers.get("x-switchyard-endpoint"), endpoint);
  const decision = await up.admin<{
    profiles: readonly {
      candidates: readonly { rank: number; scores: readonly { raw: number }[] }[];
    }[];
  }>(`/api/decisions/${again.headers.get("x-switchyard-decision")}`);
  const winner = decision.profiles[0]?.candidates.find(({ rank }) => rank === 1);
  assert.equal(winner?.scores[0]?.raw, 1, "the prefix index survived");

  writeFileSync(file, text.replace("type: queue-scorer", "type: quue-scorer"));
  await up.until(async () => (await pool()).lastReload?.result === "rejected");
  assert.match((await pool()).lastReload?.message ?? "", /unregistered plugin type quue-scorer/);
  assert.equal(await weightOf("prefix-cache-scorer"), 5.5);
  assert.equal((await ask()).status, 200);
  const metrics = await (await fetch(`${up.adminUrl}/metrics`)).text();
  assert.match(metrics, /^switchyard_config_reloads_total\{result="applied"\} 1$/m);
  assert.match(metrics, /^switchyard_config_reloads_total\{result="rejected"\} 1$/m);

  await running.body?.cancel();
  await up.until(async () => (await pool()).inFlight === 0);
});
