import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { validate as validateDockerfile } from "dockerfile-utils";
import { checkFacts } from "../src/app/check-facts.ts";
import { parseEppFlags } from "../src/app/epp-flags.ts";
import { builtinRegistry } from "../src/app/plugin-registry.ts";
import { checkFiles } from "../src/check/check-files.ts";
import { findTarget } from "../src/check/targets.ts";
import { loadRouterConfig } from "../src/config/load-router-config.ts";
import { invariant } from "../src/core/invariant.ts";
import { fillEngineConfig } from "../src/engine/engine-config.ts";
import { findGpu } from "../src/engine/gpus.ts";
import { findModel } from "../src/engine/models.ts";
import { createEngine } from "../src/engine/vllm-engine.ts";
import { EngineMetrics } from "../src/engine-server/engine-metrics.ts";
import { METRIC_KEYS, METRIC_TABLE } from "../src/telemetry/metric-table.ts";
import { kubernetesFaults, readYaml, type Yaml } from "./fixtures/kube-builtins.ts";
import { checkObject } from "./fixtures/kube-schemas.ts";
import { promqlFaults, promqlMetrics } from "./fixtures/promql.ts";

const ROOT = join(import.meta.dirname, "..");
const BASE = join(ROOT, "deploy", "base");
const SERVICES = join(ROOT, "deploy", "llm-inference-service");
const registry = builtinRegistry();

/** Members of nested YAML, as far as they are there. */
function at(node: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Yaml | undefined)?.[key], node);
}

const kustomization = readYaml(join(BASE, "kustomization.yaml"));
const resources = kustomization["resources"] as readonly string[];
const deployment = readYaml(join(BASE, "deployment.yaml"));
const picker = at(deployment, "spec", "template", "spec", "containers", 0) as Yaml;

test("deploy: the base lists each of its files once", () => {
  const generated = at(kustomization, "configMapGenerator", 0, "files") as readonly string[];
  const listed = ["kustomization.yaml", ...resources, ...generated];
  assert.deepEqual(listed.toSorted(), readdirSync(BASE).toSorted());
});

for (const name of resources.filter((resource) => resource !== "inference-pool.yaml")) {
  test(`deploy: ${name} is what Kubernetes' schema says`, () => {
    const object = readYaml(join(BASE, name));
    const kind = `${String(object["apiVersion"])} ${String(object["kind"])}`;
    assert.deepEqual(kubernetesFaults(kind, object), []);
  });
}

test("deploy: the InferencePool is what its definition demands", () => {
  checkObject(readYaml(join(BASE, "inference-pool.yaml")) as Parameters<typeof checkObject>[0]);
});

test("deploy: a misspelled field and a wrong type are faults", () => {
  const spec = { containers: [{ name: "epp", imag: "switchyard" }] };
  assert.match(kubernetesFaults("v1 PodSpec", spec)?.join() ?? "", /does not know/);
  assert.match(kubernetesFaults("v1 PodSpec", { containers: [{}] })?.join() ?? "", /required/);
});

test("deploy: names, ports and labels of the base agree", () => {
  const service = readYaml(join(BASE, "service.yaml"));
  const pool = readYaml(join(BASE, "inference-pool.yaml"));
  const labels = at(deployment, "spec", "template", "metadata", "labels");
  assert.deepEqual(at(service, "spec", "selector"), labels);
  assert.deepEqual(at(deployment, "spec", "selector", "matchLabels"), labels);
  const served = (at(service, "spec", "ports") as readonly Yaml[]).map(({ port }) => port);
  const opened = (picker["ports"] as readonly Yaml[]).map(({ containerPort }) => containerPort);
  assert.deepEqual(served, opened);
  assert.equal(at(pool, "spec", "endpointPickerRef", "name"), at(service, "metadata", "name"));
  assert.ok(served.includes(at(pool, "spec", "endpointPickerRef", "port", "number")));
  const account = at(deployment, "spec", "template", "spec", "serviceAccountName");
  assert.equal(at(readYaml(join(BASE, "role-binding.yaml")), "subjects", 0, "name"), account);
  const mounted = at(deployment, "spec", "template", "spec", "volumes", 0, "configMap", "name");
  assert.equal(at(kustomization, "configMapGenerator", 0, "name"), mounted);
});

test("deploy: the picker takes the base's arguments and configuration", () => {
  const { given } = parseEppFlags(picker["args"] as readonly string[]);
  assert.equal(
    given.get("pool-name"),
    at(readYaml(join(BASE, "inference-pool.yaml")), "metadata", "name"),
  );
  const file = given.get("config-file")?.replace("/etc/switchyard", BASE);
  invariant(file !== undefined, "the base names a configuration");
  const config = loadRouterConfig({
    text: readFileSync(file, "utf8"),
    file,
    registry,
    allowAlpha: false,
  });
  assert.deepEqual(
    config.profiles.map(({ name }) => name),
    ["default"],
  );
});

for (const name of ["gpt-oss-20b.yaml", "qwen-pd.yaml"]) {
  test(`deploy: ${name} is the example with our image, and check finds no error in it`, () => {
    const file = join(SERVICES, name);
    const text = readFileSync(file, "utf8");
    const target = findTarget("switchyard");
    invariant(target !== undefined, "our own release is a target");
    const facts = checkFacts(undefined);
    const found = checkFiles([{ file, text }], { target, facts, registry, allowAlpha: false });
    assert.deepEqual(
      found.filter(({ severity }) => severity === "error"),
      [],
    );
    const service = readYaml(file);
    const scheduler = at(service, "spec", "router", "scheduler", "template");
    const pods = [
      scheduler,
      at(service, "spec", "template"),
      at(service, "spec", "prefill", "template"),
    ];
    for (const pod of pods.filter((spec) => spec !== undefined)) {
      assert.deepEqual(kubernetesFaults("v1 PodSpec", pod as Yaml), []);
    }
    const container = at(scheduler, "containers", 0) as { image?: unknown };
    const tag = at(kustomization, "images", 0, "newTag");
    assert.equal(container.image, `switchyard:${String(tag)}`);
    // What is left without our images is the example.
    delete container.image;
    delete (at(service, "spec", "template") as { initContainers?: unknown }).initContainers;
    assert.deepEqual(service, readYaml(join(ROOT, "examples", name)));
  });
}

test("deploy: the image is what this release is", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  assert.equal(at(kustomization, "images", 0, "newTag"), version);
});

test("deploy: the Dockerfile is well formed", () => {
  const text = readFileSync(join(ROOT, "deploy", "Dockerfile"), "utf8");
  assert.deepEqual(
    validateDockerfile(text).map(({ message }) => message),
    [],
  );
});

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(
  readFileSync(join(ROOT, "deploy", "grafana", "switchyard.json"), "utf8"),
) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: unknown }[] };
};

/** What a simulated engine exposes, under vLLM's names. */
function engineExposition(): string {
  const model = findModel("openai/gpt-oss-20b");
  const gpu = findGpu("H100");
  invariant(model !== undefined && gpu !== undefined, "the tables have both");
  const config = fillEngineConfig({ model, gpu });
  const metrics = new EngineMetrics({ config, modelName: model.name, isKvConnectorEnabled: true });
  return metrics.text(createEngine(config).gauges);
}

/** Series that the router and a vLLM expose; those of Node are prom-client's. */
function exposedSeries(): ReadonlySet<string> {
  const own = METRIC_KEYS.flatMap((key) => {
    const { name, type } = METRIC_TABLE[key];
    return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  });
  const scraped = [...engineExposition().matchAll(/^(vllm:\w+)\{/gm)].map(([, name = ""]) => name);
  return new Set([
    ...own,
    ...scraped,
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
  ]);
}

test("deploy: every query of the dashboard is PromQL over series that are exposed", () => {
  const exposed = exposedSeries();
  const variables = dashboard.templating.list.flatMap(({ query }) => {
    const text = typeof query === "string" ? query : String(at(query, "query"));
    return /^label_values\((.*), \w+\)$/.exec(text)?.[1] ?? [];
  });
  const panels = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(panels.length > 30 && variables.length === 3);
  for (const query of [...panels, ...variables]) {
    // Grafana puts a duration in its place.
    const expression = query.replaceAll("$__rate_interval", "1m");
    assert.deepEqual(promqlFaults(expression), []);
    const metrics = promqlMetrics(expression);
    assert.ok(metrics.length > 0, expression);
    assert.deepEqual(
      metrics.filter((name) => !exposed.has(name)),
      [],
      expression,
    );
  }
});

test("deploy: the dashboard's panels have their own place", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, `${title} is too wide`);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x},${y}`), undefined, `${title} lies over another panel`);
        taken.set(`${x},${y}`, title);
      }
    }
  }
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});
