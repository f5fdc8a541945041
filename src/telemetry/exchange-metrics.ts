import type { ExchangeObserver, ExchangeReport, PdOutcome } from "../core/exchange-report.ts";
import type { MetricLabels } from "../core/meter.ts";
import type { Instruments } from "./instruments.ts";
import { LabelCap, OTHER_LABEL } from "./label-cap.ts";
import type { MetricKey } from "./metric-table.ts";
import type { HistogramSeries, NumberSeries } from "./series.ts";

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
  readonly #seriesByModel = new Map<string, ModelSeries>();

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  started(model: string): void {
    this.#seriesOf(model).running.value++;
  }

  chunkGap(model: string, gapMs: number): void {
    this.#seriesOf(model).observe("itlSeconds", gapMs / 1000);
  }

  finished(report: ExchangeReport): void {
    const { model, how, rejection, decisionId, outcome } = report;
    const series = this.#seriesOf(model ?? UNKNOWN_MODEL);
    const { labels } = series;
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
    if (model !== undefined) series.running.value--;
    this.#dispatched(report, series);
  }

  #dispatched(report: ExchangeReport, series: ModelSeries): void {
    const { outcome } = report;
    const { usage, ttftMs, e2eMs, pd } = outcome;
    const instruments = this.#instruments;
    series.requests.value++;
    series.observe("requestSeconds", e2eMs / 1000);
    series.observe("requestBytes", report.requestBytes);
    series.observe("responseBytes", outcome.responseBytes);
    if (usage.promptTokens !== null) {
      series.observe("inputTokens", usage.promptTokens);
    }
    if (usage.cachedTokens !== null) {
      series.observe("cachedTokens", usage.cachedTokens);
    }
    const tokens = usage.completionTokens;
    if (tokens !== null) series.observe("outputTokens", tokens);
    if (tokens !== null && tokens > 0) {
      series.observe("ntpotSeconds", e2eMs / 1000 / tokens);
    }
    if (ttftMs !== null) {
      const ttftLabels = report.isStreaming ? series.streamed : series.whole;
      instruments.observe("ttftSeconds", ttftLabels, ttftMs / 1000);
      if (report.isStreaming && tokens !== null && tokens > 1) {
        series.observe("tpotSeconds", (e2eMs - ttftMs) / 1000 / (tokens - 1));
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

  #seriesOf(model: string): ModelSeries {
    const name = this.#models.of(model);
    let series = this.#seriesByModel.get(name);
    if (series === undefined) {
      series = new ModelSeries(name, this.#instruments);
      this.#seriesByModel.set(name, series);
    }
    return series;
  }
}

/** A model's series, each looked up by its labels once. */
class ModelSeries {
  readonly labels: MetricLabels;
  /** The same with the word that says how an answer came. */
  readonly streamed: MetricLabels;
  readonly whole: MetricLabels;
  readonly #instruments: Instruments;
  readonly #histograms = new Map<MetricKey, HistogramSeries>();
  #running: NumberSeries | undefined;
  #requests: NumberSeries | undefined;

  constructor(name: string, instruments: Instruments) {
    // llm-d's values for a request without fairness id and priority.
    this.labels = {
      model_name: name,
      target_model_name: name,
      fairness_id: "default-flow",
      priority: "0",
    };
    this.streamed = { ...this.labels, streaming: "true" };
    this.whole = { ...this.labels, streaming: "false" };
    this.#instruments = instruments;
  }

  get running(): NumberSeries {
    this.#running ??= this.#instruments.number("running", this.labels);
    return this.#running;
  }

  get requests(): NumberSeries {
    this.#requests ??= this.#instruments.number("requests", this.labels);
    return this.#requests;
  }

  observe(key: MetricKey, value: number): void {
    let series = this.#histograms.get(key);
    if (series === undefined) {
      series = this.#instruments.histogram(key, this.labels);
      this.#histograms.set(key, series);
    }
    series.observe(value);
  }
}
