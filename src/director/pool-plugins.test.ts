import assert from "node:assert/strict";
import test from "node:test";
import { pluginOf } from "../../test/fixtures/plugin-of.ts";
import { type PoolTraits, poolWith } from "../../test/fixtures/pool-core.ts";

const faults: readonly [name: string, traits: PoolTraits, message: RegExp][] = [
  [
    "no profile handler",
    { plugins: ["max-score-picker"], profiles: { default: ["max-score-picker"] } },
    /without profile handler/,
  ],
  [
    "a profile without picker",
    {
      plugins: ["single-profile-handler", "queue-scorer"],
      profiles: { default: ["queue-scorer"] },
    },
    /default has no picker/,
  ],
  [
    "a reference to nobody",
    { plugins: ["single-profile-handler"], profiles: { default: ["ghost"] } },
    /refers to ghost/,
  ],
];
for (const [name, traits, message] of faults) {
  test(`pool-plugins: ${name} is what loading should have refused`, () => {
    assert.throws(() => poolWith(traits), message);
  });
}

test("pool-plugins: filters keep the profile's order and plugins the file's", () => {
  const [a, b] = ["a", "b"].map((type) => pluginOf(type, { filter: () => undefined }));
  const { core } = poolWith({
    plugins: [a ?? "", "single-profile-handler", b ?? "", "max-score-picker"],
    profiles: { default: ["b", "max-score-picker", "a"] },
  });
  assert.deepEqual(
    core.graph.plugins.profiles[0]?.filters.map(({ name }) => name),
    ["b", "a"],
  );
  assert.deepEqual(
    core.graph.plugins.all.map(({ name }) => name),
    ["a", "single-profile-handler", "b", "max-score-picker"],
  );
});

test("pool-plugins: one instance with two roles in a profile has both", () => {
  const both = pluginOf("both", { filter: () => undefined, score: () => undefined });
  const { core } = poolWith({
    plugins: ["single-profile-handler", both, "max-score-picker"],
    profiles: { default: [["both", 3], "max-score-picker"] },
  });
  const [profile] = core.graph.plugins.profiles;
  assert.equal(profile?.filters[0]?.instance, profile?.scorers[0]?.plugin.instance);
  assert.equal(profile?.scorers[0]?.weight, 3);
});
