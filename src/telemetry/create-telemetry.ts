import type { ExchangeObserver } from "../core/exchange-report.ts";
import type { Meter } from "../core/meter.ts";
import type { AccessLog } from "./access-log.ts";
import { CoreMeter } from "./core-meter.ts";
import { ExchangeMetrics } from "./exchange-metrics.ts";
import { Instruments, type MetricSnapshot } from "./instruments.ts";
import { type PoolView, readPoolGauges } from "./pool-gauges.ts";

/** What telemetry reads at each exposition, and where access lines go. */
export interface TelemetryOptions {
  pools(): readonly PoolView[];
  /** Bytes of request bodies that fronts hold. */
  bufferedBytes(): number;
  /** Labels of the `info` metric; a thread beside the main one has none, and no metrics of the process. */
  readonly build: { readonly commit: string; readonly ref: string } | undefined;
  readonly accessLog: AccessLog | undefined;
}

/** The program's ports for counting and what can be read of them. */
export interface Telemetry {
  readonly meter: Meter;
  readonly observer: ExchangeObserver;
  /** Everything in Prometheus' text format, together with what other threads counted. */
  expose(
    others?: readonly MetricSnapshot[],
  ): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Everything for another thread to add up. */
  snapshot(): MetricSnapshot;
}

/** Metrics in a registry of their own, so that several routers can live in one process. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const instruments = new Instruments({ hasProcess: options.build !== undefined });
  const exchanges = new ExchangeMetrics(instruments);
  if (options.build !== undefined) {
    const { commit, ref } = options.build;
    instruments.set("info", { commit, build_ref: ref }, 1);
  }
  const readGauges = (): void => {
    readPoolGauges(options.pools(), instruments);
    instruments.set("bufferedBytes", {}, options.bufferedBytes());
  };
  return {
    meter: new CoreMeter(instruments),
    observer: {
      started: (model) => exchanges.started(model),
      chunkGap: (model, gapMs) => exchanges.chunkGap(model, gapMs),
      finished(report) {
        exchanges.finished(report);
        options.accessLog?.write(report);
      },
    },
    async expose(others) {
      readGauges();
      return { contentType: instruments.contentType, text: await instruments.expose(others) };
    },
    snapshot() {
      readGauges();
      return instruments.snapshot();
    },
  };
}
