import type { ExchangeObserver } from "../core/exchange-report.ts";
import type { Json } from "../core/json.ts";

/** Where events for readers of `/api/events` go. */
export interface EventSink {
  readonly hasReaders: boolean;
  publish(event: string, fields: Json): void;
}

/** Passes reports on and tells readers of `/api/events` that a request ended. */
export function publishing(observer: ExchangeObserver, events: EventSink): ExchangeObserver {
  return {
    started: (model) => observer.started(model),
    chunkGap: (model, gapMs) => observer.chunkGap(model, gapMs),
    finished(report) {
      observer.finished(report);
      if (!events.hasReaders) return;
      events.publish("request", {
        decision: report.decisionId ?? null,
        pool: report.pool ?? null,
        status: report.outcome.status,
        how: report.how,
        endpoint: report.endpoint ?? null,
        prefillEndpoint: report.prefillEndpoint ?? null,
        ttftMs: report.outcome.ttftMs,
        e2eMs: report.outcome.e2eMs,
      });
    },
  };
}
