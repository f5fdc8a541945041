import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";

const ROOT = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);
const promtool = await run("promtool", ["--version"]).then(
  () => true,
  () => false,
);
const PROMTOOL_MISSING = promtool
  ? false
  : "promtool is not there: `apt-get install prometheus` brings it";

const folder = mkdtempSync(join(tmpdir(), "switchyard-deploy-"));
after(() => rmSync(folder, { recursive: true }));

/** The folder /app of the image: what the Dockerfile copies, and packages as `npm ci` leaves them out. */
function layImage(): string {
  const app = join(folder, "app");
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<
      Record<string, { dev?: true; optional?: true; devOptional?: true }>
    >;
  };
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    // Nested packages come with the one that they are in.
    if (!/^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(path)) continue;
    if (dev || optional || devOptional || !existsSync(join(ROOT, path))) continue;
    mkdirSync(dirname(join(app, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(app, path));
  }
  const dockerfile = readFileSync(join(ROOT, "deploy", "Dockerfile"), "utf8");
  const [, base = ""] = dockerfile.split(/^FROM .* AS base$/m);
  const copies = [...base.matchAll(/^COPY (?:--chmod=755 )?([^-].*) (\S+)$/gm)];
  assert.ok(copies.length >= 3);
  for (const [, sources = "", target = ""] of copies) {
    for (const source of sources.split(" ")) {
      const isInto = target.endsWith("/") && !source.endsWith("/");
      const to = isInto ? join(app, target, source) : join(app, target);
      cpSync(join(ROOT, source), to, {
        recursive: true,
        filter: (path) => !path.endsWith(".test.ts"),
      });
    }
  }
  return app;
}

test("deploy: the commands of the image start with what is in it", async () => {
  const app = layImage();
  // The scripts name the image's own paths; here they run below another root.
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(execPath, join(bin, "node"));
  for (const [script, usage] of [
    ["epp", /switchyard epp/],
    ["pd-sidecar", /switchyard sidecar/],
    ["switchyard", /^ {2}compare /m],
  ] as const) {
    const text = readFileSync(join(app, script), "utf8").replace("/app/", `${app}/`);
    writeFileSync(join(app, script), text);
    const { stdout } = await run("/bin/sh", [join(app, script), "--help"], { env: { PATH: bin } });
    assert.match(stdout, usage);
  }
});

/** The scrape configuration with these pods in the place of those that a cluster would tell of. */
function scrapeConfig(pods: readonly Readonly<Record<string, string>>[]): string {
  const text = readFileSync(join(ROOT, "deploy", "prometheus", "prometheus.yaml"), "utf8");
  const config = parse(text) as { scrape_configs: Record<string, unknown>[] };
  for (const job of config.scrape_configs) {
    assert.deepEqual(job["kubernetes_sd_configs"], [{ role: "pod" }]);
    // Debian's build knows no Kubernetes.
    delete job["kubernetes_sd_configs"];
    job["static_configs"] = pods.map((pod) => ({
      targets: [`${pod["pod_ip"]}:1`],
      labels: Object.fromEntries(
        Object.entries(pod).map(([name, value]) => [`__meta_kubernetes_${name}`, value]),
      ),
    }));
  }
  const file = join(folder, "prometheus.yaml");
  writeFileSync(file, stringify(config));
  return file;
}

const POD = { namespace: "demo", pod_name: "p" };

test("deploy: Prometheus scrapes router, decode and prefill", {
  skip: PROMTOOL_MISSING,
}, async () => {
  const component = "pod_label_app_kubernetes_io_component";
  const file = scrapeConfig([
    { ...POD, pod_ip: "10.0.0.1", pod_label_llm_d_ai_role: "both" },
    { ...POD, pod_ip: "10.0.0.2", pod_label_llm_d_ai_role: "decode" },
    {
      ...POD,
      pod_ip: "fd00::3",
      pod_label_llm_d_ai_role: "prefill",
      pod_annotation_prometheus_io_scheme: "https",
    },
    {
      ...POD,
      pod_ip: "10.0.0.4",
      pod_container_port_name: "metrics",
      [component]: "endpoint-picker",
    },
    { ...POD, pod_ip: "10.0.0.5", pod_container_port_name: "grpc", [component]: "endpoint-picker" },
    { ...POD, pod_ip: "10.0.0.6" },
  ]);
  await run("promtool", ["check", "config", file]);
  const targets = async (job: string): Promise<readonly string[]> => {
    const { stdout } = await run("promtool", [
      "check",
      "service-discovery",
      "--timeout=3s",
      file,
      job,
    ]);
    const found = JSON.parse(stdout) as { labels?: Record<string, string> }[];
    const shown = found.flatMap(({ labels = {} }) => {
      const { __address__: address, __scheme__: scheme, namespace, pod } = labels;
      return address === undefined ? [] : `${scheme}://${address} ${namespace}/${pod}`;
    });
    // Groups of targets come in any order.
    return shown.toSorted();
  };
  const jobs = ["switchyard-engines", "switchyard-epp"];
  const [engines, pickers] = await Promise.all(jobs.map(targets));
  assert.deepEqual(engines, [
    "http://10.0.0.1:8000 demo/p",
    "http://10.0.0.2:8000 demo/p",
    "https://[fd00::3]:8000 demo/p",
  ]);
  assert.deepEqual(pickers, ["http://10.0.0.4:1 demo/p"]);
});
