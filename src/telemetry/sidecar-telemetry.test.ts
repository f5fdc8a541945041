import assert from "node:assert/strict";
import test from "node:test";
import { NO_PD_FACTS, type PdOutcome } from "../core/exchange-report.ts";
import { SidecarTelemetry } from "./sidecar-telemetry.ts";

const outcomeOf = (known: Partial<PdOutcome>): PdOutcome => ({
  outcome: "remote",
  ...NO_PD_FACTS,
  ...known,
});

test("sidecar-telemetry: requests are counted by what became of them", async () => {
  const telemetry = new SidecarTelemetry();
  telemetry.passedOn();
  telemetry.denied();
  telemetry.splitEnded(undefined);
  telemetry.splitEnded(outcomeOf({ prefillMs: 20 }));
  telemetry.splitEnded(outcomeOf({ outcome: "fallback", reason: "timeout" }));
  telemetry.splitEnded(outcomeOf({ outcome: "refused", reason: "status-404" }));
  telemetry.prefillFailed("timeout");
  const { text } = await telemetry.expose();
  const values = text
    .split("\n")
    .filter((line) => /^switchyard_[^#]*_total|_count|_sum/.test(line));
  assert.deepEqual(values, [
    'switchyard_pd_requests_total{outcome="whole"} 1',
    'switchyard_pd_requests_total{outcome="denied"} 1',
    'switchyard_pd_requests_total{outcome="none"} 1',
    'switchyard_pd_requests_total{outcome="remote"} 1',
    'switchyard_pd_requests_total{outcome="fallback"} 1',
    'switchyard_pd_requests_total{outcome="refused"} 1',
    'switchyard_pd_fallback_total{reason="timeout"} 1',
    'switchyard_pd_prefill_failures_total{reason="timeout"} 1',
    "switchyard_pd_prefill_seconds_sum 0.02",
    "switchyard_pd_prefill_seconds_count 1",
  ]);
});
