import type { ExchangeObserver, ExchangeReport, PdOutcome } from "../core/exchange-report.ts";
import type { MetricLabels } from "../core/meter.ts";
import type { Instruments } from "./instruments.ts";
import { LabelCap, OTHER_LABEL } from "./label-cap.ts";

/** Distinct models that get series of their own (llm-d's cap). */
const MODELS_MAX = 1000;

/** Distinct reasons that sidecars may name. */
const PD_REASONS_MAX = 32;

/** Model label of requests whose model nobody serves (llm-d). */
const UNKNOWN_MODEL = "unknown";

/** Makes the request metrics from what is seen of exchanges. */
export class ExchangeMetrics implements ExchangeObserver {
  readonly #instruments: Instruments;
  readonly #models = new LabelCap(MODELS_MAX);
  readonly #pdReasons = new LabelCap(PD_REASONS_MAX);
  readonly #labelsByModel = new Map<string, MetricLabels>();

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  started(model: string): void {
    this.#instruments.shift("running", this.#labelsOf(model), 1);
  }

  chunkGap(model: string, gapMs: number): void {
    this.#instruments.observe("itlSeconds", this.#labelsOf(model), gapMs / 1000);
  }

  finished(report: ExchangeReport): void {
    const { model, how, rejection, decisionId, outcome } = report;
    const labels = this.#labelsOf(model ?? UNKNOWN_MODEL);
    if (outcome.status >= 400) {
      const error = { ...labels, error_code: String(outcome.status) };
      this.#instruments.count("requestErrors", error);
    }
    if (rejection !== undefined) this.#instruments.count("rejections", { reason: rejection });
    if (decisionId === undefined) return;
    if (how === "rejected") {
      this.#instruments.count("schedulerAttempts", {
        status: "failure",
        target_model_name: labels["model_name"] ?? "",
        endpoint_name: "",
        namespace: "",
        port: "",
      });
      return;
    }
    if (model !== undefined) this.#instruments.shift("running", labels, -1);
    this.#dispatched(report, labels);
  }

  #dispatched(report: ExchangeReport, labels: MetricLabels): void {
    const { outcome } = report;
    const { usage, ttftMs, e2eMs, pd } = outcome;
    const instruments = this.#instruments;
    instruments.count("requests", labels);
    instruments.observe("requestSeconds", labels, e2eMs / 1000);
    instruments.observe("requestBytes", labels, report.requestBytes);
    instruments.observe("responseBytes", labels, outcome.responseBytes);
    if (usage.promptTokens !== null) {
      instruments.observe("inputTokens", labels, usage.promptTokens);
    }
    if (usage.cachedTokens !== null) {
      instruments.observe("cachedTokens", labels, usage.cachedTokens);
    }
    const tokens = usage.completionTokens;
    if (tokens !== null) instruments.observe("outputTokens", labels, tokens);
    if (tokens !== null && tokens > 0) {
      instruments.observe("ntpotSeconds", labels, e2eMs / 1000 / tokens);
    }
    if (ttftMs !== null) {
      const streaming = String(report.isStreaming);
      instruments.observe("ttftSeconds", { ...labels, streaming }, ttftMs / 1000);
      if (report.isStreaming && tokens !== null && tokens > 1) {
        instruments.observe("tpotSeconds", labels, (e2eMs - ttftMs) / 1000 / (tokens - 1));
      }
    }
    const reasons = outcome.retryReasons ?? [];
    for (const reason of reasons) instruments.count("retries", { reason });
    const unnamed = outcome.retryCount - reasons.length;
    if (unnamed > 0) instruments.count("retries", { reason: OTHER_LABEL }, unnamed);
    if (pd !== undefined) this.#split(pd);
  }

  #split(pd: PdOutcome): void {
    if (pd.outcome === "fallback" || pd.outcome === "refused") {
      // A sidecar of another make may say anything: only short tokens, and a bounded number of them.
      const isToken = pd.reason !== null && /^[a-z0-9-]{1,32}$/.test(pd.reason);
      const reason = isToken ? this.#pdReasons.of(pd.reason) : OTHER_LABEL;
      this.#instruments.count(pd.outcome === "fallback" ? "pdFallbacks" : "pdRefusals", { reason });
    }
    if (pd.kvMs !== null) this.#instruments.observe("pdTransferSeconds", {}, pd.kvMs / 1000);
    if (pd.kvBytes !== null) this.#instruments.count("pdTransferBytes", {}, pd.kvBytes);
  }

  #labelsOf(model: string): MetricLabels {
    const name = this.#models.of(model);
    let labels = this.#labelsByModel.get(name);
    if (labels === undefined) {
      // llm-d's values for a request without fairness id and priority.
      labels = {
        model_name: name,
        target_model_name: name,
        fairness_id: "default-flow",
        priority: "0",
      };
      this.#labelsByModel.set(name, labels);
    }
    return labels;
  }
}
