import assert from "node:assert/strict";
import test, { after } from "node:test";
import { DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { EnvoyRig } from "../fixtures/envoy-rig.ts";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { ENVOY_MISSING } from "../fixtures/running-envoy.ts";
import { RunningUp } from "../fixtures/running-up.ts";

const WAIT = { timeout: 60_000 };
const MODEL = "Qwen/Qwen3-0.6B";

const PREFIX_ALONE = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: prefix-cache-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: prefix-cache-scorer
  - pluginRef: max-score-picker
`;

/** Names a subset of endpoints, as a gateway does; the tests say which by a header of their own. */
const SUBSET_FILTER = `
- name: envoy.filters.http.lua
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
    default_source_code:
      inline_string: |
        function envoy_on_request(handle)
          local named = handle:headers():get("x-test-subset")
          if named == nil then return end
          local subset = {}
          for item in string.gmatch(named, "[^,]+") do table.insert(subset, item) end
          handle:streamInfo():dynamicMetadata():set(
            "envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", subset)
        end
`;

const METRICS =
  "vllm:num_requests_waiting 0\nvllm:num_requests_running 0\nvllm:kv_cache_usage_perc 0\n";

const chat = (content: string) => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  max_tokens: 4,
});

if (ENVOY_MISSING === false) {
  const stack = new AsyncDisposableStack();
  after(() => stack.disposeAsync());
  const up = stack.use(
    await RunningUp.start(["examples/qwen-pd.yaml", "--replicas", "3", "--time-scale", "10"]),
  );
  const decoders = up.endpoints.filter(({ role }) => role === "decode");

  test("envoy: two hundred equal prompts at once go to one endpoint", WAIT, async () => {
    await using rig = await EnvoyRig.start({ endpoints: decoders, config: PREFIX_ALONE });
    const prompt = "the same words again and again ".repeat(40);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const answer = await rig.ask(chat(prompt));
        await answer.text();
        return `${answer.status} ${answer.headers.get("x-switchyard-endpoint")}`;
      }),
    );
    assert.equal(decoders.length, 3);
    assert.equal(new Set(answers).size, 1, [...new Set(answers)].join());
    assert.match(answers[0] ?? "", /^200 /);
  });

  test(
    "envoy: a subset that a gateway names is obeyed, and one of strangers is 503",
    WAIT,
    async () => {
      // Subsets are of hosts, and every address of 127.0.0.0/8 is this one.
      const engines = await Promise.all(
        [1, 2].map((host) => HttpEndpoint.start(healthy, { host: `127.0.0.${host}` })),
      );
      for (const engine of engines) stack.use(engine);
      const [one, two] = engines.map(({ address }, i) => ({ name: `e${i + 1}`, address }));
      assert.ok(one !== undefined && two !== undefined);
      await using rig = await EnvoyRig.start({
        endpoints: [one, two],
        config: DEFAULT_CONFIG_TEXT,
        filter: SUBSET_FILTER,
      });
      const chosen = async (subset?: string): Promise<string | number> => {
        const headers: Record<string, string> =
          subset === undefined ? {} : { "x-test-subset": subset };
        const answer = await rig.ask(chat("hello"), { headers });
        const text = await answer.text();
        if (answer.status !== 200) return `${answer.status} ${JSON.parse(text).error.code}`;
        return answer.headers.get("x-switchyard-endpoint") ?? "";
      };
      for (let i = 0; i < 3; i++) {
        assert.equal(await chosen(one.address), "e1");
        assert.equal(await chosen(two.address), "e2");
      }
      assert.equal(await chosen(`192.0.2.1:80,${two.address}`), "e2");
      assert.equal(await chosen("192.0.2.1:80,192.0.2.2:80"), "503 no_endpoints");
      assert.match(String(await chosen()), /^e[12]$/);
    },
  );

  test(
    "envoy: a prefill port without an engine behind it is a counted fallback",
    WAIT,
    async () => {
      const wrong = stack.use(await HttpEndpoint.start(withoutEngine));
      const prefill = { name: "wrong", address: wrong.address, role: "prefill" };
      await using rig = await EnvoyRig.start({
        endpoints: [...decoders.slice(0, 1), prefill],
        config: DEFAULT_PD_CONFIG_TEXT,
      });
      const answer = await rig.ask(chat("a prompt of some length ".repeat(100)));
      assert.equal(answer.status, 200);
      const { usage } = (await answer.json()) as { usage: { completion_tokens: number } };
      assert.equal(usage.completion_tokens, 4);
      type Decision = { outcome: { pd: { outcome: string; reason: string } } | null };
      const { outcome } = await rig.decisionOf<Decision>(answer);
      assert.deepEqual([outcome?.pd.outcome, outcome?.pd.reason], ["fallback", "engine-error"]);
      const metrics = await (await fetch(`${rig.epp.adminUrl}/metrics`)).text();
      assert.match(metrics, /^switchyard_pd_fallback_total\{reason="engine-error"\} 1$/m);
    },
  );
} else {
  test("envoy: routing through the real proxy", { skip: ENVOY_MISSING }, () => undefined);
}

/** Healthy to the picker, and of all answers of an engine it has one. */
function healthy(path: string): { status: number; body: string } {
  if (path === "/health" || path === "/metrics") return { status: 200, body: METRICS };
  return path === "/v1/chat/completions" ? { status: 200, body: "{}" } : { status: 404, body: "" };
}

/** A proxy that is healthy itself and has nothing behind it. */
function withoutEngine(path: string): { status: number; body: string } {
  return path.startsWith("/v1/") ? { status: 502, body: "no upstream" } : healthy(path);
}
