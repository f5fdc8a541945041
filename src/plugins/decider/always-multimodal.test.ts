import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { parseBody } from "../../../test/fixtures/request-with.ts";
import { alwaysDisaggMultimodalDecider } from "./always-multimodal.ts";

const contents: readonly [content: unknown, want: boolean][] = [
  ["a picture", false],
  [[{ type: "text", text: "a picture" }], false],
  [
    [
      { type: "text", text: "a" },
      { type: "image_url", image_url: { url: "data:," } },
    ],
    true,
  ],
  [[{ type: "video_url", video_url: { url: "data:," } }], true],
  [[{ type: "audio_url", audio_url: { url: "data:," } }], true],
  [[{ type: "input_audio", input_audio: { data: "" } }], true],
];
for (const [content, want] of contents) {
  test(`always-disagg-multimodal-decider: ${JSON.stringify(content)} is ${want}`, () => {
    const parsed = parseBody({ model: "m", messages: [{ role: "user", content }] });
    assert.ok(parsed.kind === "parsed");
    const { instance, cycle } = benchFor(alwaysDisaggMultimodalDecider, [{}], {
      request: parsed.request,
    });
    assert.equal(instance.decide?.(cycle, undefined), want);
  });
}
