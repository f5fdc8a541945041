import assert from "node:assert/strict";
import { test } from "node:test";
import { buckets125, Histogram } from "./histogram.ts";
import { MetricsText } from "./metrics-text.ts";

test("metrics-text: families are written in the text format", () => {
  const text = new MetricsText({ model_name: 'a"b\\c\nd' });
  const histogram = new Histogram([0.5, 1]);
  for (const value of [0.25, 0.5, 0.75, 2]) histogram.observe(value);
  text.gauge("g", "A gauge.", 1.5);
  text.counters("c_total", "Counters.", "reason", new Map([["stop", 2]]));
  text.histogram("h", "A histogram.", histogram);
  text.info("i", "Facts.", { size: "16" });
  const labels = 'model_name="a\\"b\\\\c\\nd"';
  assert.equal(
    text.toString(),
    [
      "# HELP g A gauge.",
      "# TYPE g gauge",
      `g{${labels}} 1.5`,
      "# HELP c_total Counters.",
      "# TYPE c_total counter",
      `c_total{${labels},reason="stop"} 2`,
      "# HELP h A histogram.",
      "# TYPE h histogram",
      `h_bucket{${labels},le="0.5"} 2`,
      `h_bucket{${labels},le="1"} 3`,
      `h_bucket{${labels},le="+Inf"} 4`,
      `h_sum{${labels}} 3.5`,
      `h_count{${labels}} 4`,
      "# HELP i Facts.",
      "# TYPE i gauge",
      'i{size="16"} 1',
      "",
    ].join("\n"),
  );
});

test("histogram: 1-2-5 bounds stop at the maximum", () => {
  for (const [max, bounds] of [
    [1, [1]],
    [9, [1, 2, 5]],
    [50, [1, 2, 5, 10, 20, 50]],
  ] as const) {
    assert.deepEqual(buckets125(max), bounds);
  }
});
