import type { SourceNode } from "../config/source-node.ts";
import { forManifest, forPools } from "./for-manifest.ts";
import { onTargets, servingFails } from "./on-targets.ts";
import { findFlag } from "./picker-flags.ts";
import type { Finding, Rule } from "./rule.ts";
import { containerPosition, type Manifest, type PoolView, type Subject } from "./subject.ts";

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
/** Compilation and CUDA graphs after the weights are there. */
const WARM_UP_SECONDS = 60;
/** What the presets' startup probe allows. */
const PRESET_STARTUP_SECONDS = 600;
/** Loading that needs more than this from disk or network is likely to be killed. */
const LOAD_BYTES_PER_SECOND = 50e6;

/** Rules about probes. */
export const PROBE_RULES: readonly Rule<Subject>[] = [
  {
    id: "F5",
    severity: "warning",
    group: "F",
    title: "liveness that may kill a loading engine",
    why:
      "Where the presets have no startup probe, a download or load that takes longer is " +
      "killed and begins again, for ever.",
    fix: "Add a startupProbe with the time that loading may take, and keep liveness short.",
    check: forPools((view, { target, facts }, { service }) => {
      const probe = view.pool.livenessProbe;
      if (probe === undefined || view.container?.at("startupProbe") !== undefined) return [];
      const budget = probe.initialDelaySeconds + probe.periodSeconds * probe.failureThreshold;
      const model = facts.model(service.modelName) ?? facts.model(service.modelUri);
      const speed = (model?.weightBytes ?? 0) / Math.max(1, budget - WARM_UP_SECONDS);
      if (model === undefined || speed < LOAD_BYTES_PER_SECOND) return [];
      return onTargets(target, {
        message:
          `killed after ${budget} s: ${gigabytes(model.weightBytes)} GB of weights ` +
          `must load at ${Math.ceil(speed / 1e6)} MB/s or faster`,
        position: containerPosition(view, "livenessProbe"),
        fails: servingFails(({ hasStartupProbe }) => !hasStartupProbe),
      });
    }),
  },
  {
    id: "F6",
    severity: "warning",
    group: "F",
    title: "startup probe too short for the model",
    why: "The startup probe kills an engine that is still loading when its time is over.",
    fix: "Raise failureThreshold of the startupProbe.",
    check: forPools((view, { target, facts }, { service }) => {
      const written = view.container?.at("startupProbe");
      const budget = written === undefined ? PRESET_STARTUP_SECONDS : startupSeconds(written);
      const model = facts.model(service.modelName) ?? facts.model(service.modelUri);
      const speed = (model?.weightBytes ?? 0) / Math.max(1, budget - WARM_UP_SECONDS);
      if (model === undefined || speed < LOAD_BYTES_PER_SECOND) return [];
      return onTargets(target, {
        message:
          `${gigabytes(model.weightBytes)} GB of weights must load at ` +
          `${Math.ceil(speed / 1e6)} MB/s to be there within ${budget} s`,
        position: containerPosition(view, "startupProbe"),
        fails: servingFails(({ hasStartupProbe }) => hasStartupProbe || written !== undefined),
      });
    }),
  },
  {
    id: "F7",
    severity: "warning",
    group: "F",
    title: "probe of the wrong port",
    why:
      "On decode endpoints 8000 is the sidecar, which answers /health itself: a hung " +
      "engine looks healthy for ever. On others nothing listens on 8001.",
    fix: "Probe 8001 on decode and 8000 elsewhere, as the presets do.",
    check: forPools(portFindings),
  },
  {
    id: "F8",
    severity: "error",
    group: "F",
    title: "probe scheme against the platform's TLS",
    why:
      "A probe in the other scheme fails each time: the engine never becomes ready, or is " +
      "restarted for ever.",
    fix:
      "Leave scheme to the preset; https only where the platform serves TLS (ODH always, " +
      "KServe 0.18 and newer if switched on).",
    check: forManifest(schemeFindings),
  },
  {
    id: "F9",
    severity: "warning",
    group: "F",
    title: "probe that fails under load",
    why:
      "A busy engine answers /health late: readiness that gives up within seconds takes " +
      "it out of the pool just when it is needed, liveness kills it.",
    fix: "Give timeoutSeconds of at least 5 and several failures.",
    check: forPools((view) =>
      PROBES.slice(0, 2).flatMap((name) => {
        const probe = view.container?.at(name);
        const period = probe?.at("periodSeconds");
        const timeout = probe?.at("timeoutSeconds");
        const failures = Number(probe?.at("failureThreshold")?.value ?? 3);
        const isHasty =
          name === "readinessProbe"
            ? period !== undefined && Number(period.value) * failures <= 2
            : timeout !== undefined && Number(timeout.value) <= 1;
        const place = name === "readinessProbe" ? period : timeout;
        return isHasty && place !== undefined
          ? [{ message: `${name} gives up within seconds`, position: place.position }]
          : [];
      }),
    ),
  },
];

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function startupSeconds(probe: SourceNode): number {
  const read = (name: string, unlessSet: number): number => {
    const value = probe.at(name)?.value;
    return typeof value === "number" ? value : unlessSet;
  };
  // Defaults are those of the preset that a manifest's probe is merged over.
  return read("initialDelaySeconds", 0) + read("periodSeconds", 10) * read("failureThreshold", 60);
}

function portFindings(view: PoolView, { target }: Subject): readonly Finding[] {
  const wrong = view.pool.role === "decode" ? 8000 : 8001;
  return PROBES.flatMap((name) => {
    const port = view.container?.at(name, "httpGet", "port");
    if (port === undefined || Number(port.value) !== wrong) return [];
    const { position } = port;
    if (view.pool.role === "decode") {
      return [
        { message: `${name} on 8000 asks the sidecar, not the engine behind it on 8001`, position },
      ];
    }
    return onTargets(target, {
      message: `${name} on 8001, where nothing listens`,
      position,
      severity: "error",
      fails: servingFails(() => true),
    });
  });
}

function schemeFindings(manifest: Manifest, { target }: Subject): readonly Finding[] {
  const { main, prefill, flags } = manifest;
  const views = prefill === undefined ? [main] : [main, prefill];
  const written = views.flatMap((view) =>
    PROBES.flatMap((name) => {
      const http = view.container?.at(name, "httpGet");
      if (http === undefined) return [];
      const scheme = http.at("scheme");
      const text = scheme === undefined ? "HTTP" : String(scheme.value);
      const place = scheme ?? http;
      return [{ subject: `${name} by ${text}`, isTls: text === "HTTPS", place }];
    }),
  );
  const scraping = findFlag(flags, "model-server-metrics-scheme");
  if (scraping !== undefined) {
    const subject = `the picker scrapes metrics by ${scraping.value}`;
    written.push({ subject, isTls: scraping.value === "https", place: scraping.node });
  }
  return written.flatMap(({ subject, isTls, place }) => [
    ...onTargets(target, {
      message: `${subject}, and engines speak ${isTls ? "HTTP" : "HTTPS"}`,
      position: place.position,
      fails: servingFails(({ tls }) => tls === (isTls ? "off" : "always")),
    }),
    ...(isTls && target.serving?.tls === "optional"
      ? [
          {
            message:
              `${subject}: right only if enableLLMInferenceServiceTLS is true, and it ` +
              "is false unless set",
            position: place.position,
            severity: "warning" as const,
          },
        ]
      : []),
  ]);
}
