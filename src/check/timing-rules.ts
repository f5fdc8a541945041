import type { SourcePosition } from "../core/config-error.ts";
import { isType } from "./picker.ts";
import { findFlag } from "./picker-flags.ts";
import type { Finding, Rule } from "./rule.ts";
import type { Subject } from "./subject.ts";

/** Rules about how often figures are fetched and how long they count. */
export const TIMING_RULES: readonly Rule<Subject>[] = [
  {
    id: "S3",
    severity: "warning",
    group: "S",
    title: "timing settings that contradict each other",
    why:
      "Figures that are fetched more rarely than they go stale count as stale most of the " +
      "time: the picker then takes working engines for saturated and holds requests back.",
    fix: "Keep the staleness threshold at several refresh intervals, such as 2s for 500ms.",
    check: (subject) => [...staleness(subject), ...ticks(subject)],
  },
];

/** llm-d's default of `--refresh-metrics-interval`, which is also the least. */
const TICK_MS = 50;
/** Default of a saturation detector's `metricsStalenessThreshold`. */
const DETECTOR_STALENESS_MS = 200;
/** Default of `--metrics-staleness-threshold`. */
const GAUGE_STALENESS_MS = 2000;

interface Setting {
  readonly text: string;
  readonly ms: number;
  readonly position: SourcePosition;
}

/** Saturation detectors and the pool's gauges have a threshold each. */
function staleness(subject: Subject): readonly Finding[] {
  const refresh = refreshSetting(subject);
  const flag = findFlag(subject.manifest?.flags ?? [], "metrics-staleness-threshold");
  const gauges = flag === undefined ? undefined : setting(flag.value, flag.node.position);
  return [
    ...contradiction(
      refresh,
      detectorSetting(subject),
      DETECTOR_STALENESS_MS,
      "saturation detection",
    ),
    ...contradiction(refresh, gauges, GAUGE_STALENESS_MS, "the pool's gauges"),
  ];
}

function contradiction(
  refresh: Setting | undefined,
  stale: Setting | undefined,
  staleUnlessSetMs: number,
  reader: string,
): readonly Finding[] {
  const position = refresh?.position ?? stale?.position;
  const refreshMs = refresh?.ms ?? TICK_MS;
  const staleMs = stale?.ms ?? staleUnlessSetMs;
  if (position === undefined || 2 * refreshMs <= staleMs) return [];
  const every = refresh?.text ?? `${TICK_MS}ms (default)`;
  const after = stale?.text ?? `${staleUnlessSetMs}ms (default)`;
  const message = `metrics are fetched every ${every} and are stale for ${reader} after ${after}`;
  return [{ message, position, severity: refreshMs >= staleMs ? "warning" : "advice" }];
}

/** An interval that is no multiple of the tick is refused. */
function ticks({ manifest, picker }: Subject): readonly Finding[] {
  const flag = findFlag(manifest?.flags ?? [], "refresh-metrics-interval");
  const tickMs = durationMs(flag?.value) ?? TICK_MS;
  return (picker?.plugins ?? []).flatMap((plugin) => {
    const interval = plugin.parameters["interval"];
    const ms = durationMs(interval);
    if (!isType(plugin, "metrics-data-source") || ms === undefined) return [];
    if (ms > 0 && ms % tickMs === 0) return [];
    const message = `interval ${String(interval)} is no multiple of the refresh interval ${tickMs}ms`;
    return [{ message, position: plugin.at("interval"), severity: "error" as const }];
  });
}

function refreshSetting({ manifest, picker }: Subject): Setting | undefined {
  const plugin = picker?.plugins.find(
    (candidate) =>
      isType(candidate, "metrics-data-source") && candidate.parameters["interval"] !== undefined,
  );
  if (plugin !== undefined) {
    return setting(plugin.parameters["interval"], plugin.at("interval"));
  }
  const flag = findFlag(manifest?.flags ?? [], "refresh-metrics-interval");
  return flag === undefined ? undefined : setting(flag.value, flag.node.position);
}

function detectorSetting({ picker }: Subject): Setting | undefined {
  const name = "metricsStalenessThreshold";
  const inline = picker?.root.at("saturationDetector", name);
  if (inline !== undefined) return setting(inline.value, inline.position);
  const detector = picker?.plugins.find(({ parameters }) => parameters[name] !== undefined);
  return detector === undefined ? undefined : setting(detector.parameters[name], detector.at(name));
}

function setting(value: unknown, position: SourcePosition): Setting | undefined {
  const ms = durationMs(value);
  return ms === undefined ? undefined : { text: String(value), ms, position };
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  ns: 1e-6,
};

/** A Go duration such as `1m30s`; undefined for anything else. */
function durationMs(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+$/.test(value)) {
    return undefined;
  }
  return Array.from(value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)/g)).reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit ?? ""] ?? 0),
    0,
  );
}
