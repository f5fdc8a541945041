import assert from "node:assert/strict";
import test from "node:test";
import { endpointId } from "../core/brand.ts";
import { type DiscoveredEndpoint, EndpointSet } from "./endpoint-set.ts";

const at = (
  name: string,
  address: string,
  more: { labels?: Record<string, string>; incarnation?: string } = {},
): DiscoveredEndpoint => ({ id: endpointId(name), address, labels: {}, ...more });

interface Case {
  readonly name: string;
  readonly before: readonly DiscoveredEndpoint[];
  readonly after: readonly DiscoveredEndpoint[];
  readonly changes: readonly string[];
  readonly gone: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "nothing at all", before: [], after: [], changes: [], gone: [] },
  {
    name: "one that came",
    before: [],
    after: [at("a", "h:1")],
    changes: ["added a h:1"],
    gone: [],
  },
  {
    name: "one that went",
    before: [at("a", "h:1"), at("b", "h:2")],
    after: [at("b", "h:2")],
    changes: ["removed a"],
    gone: ["h:1"],
  },
  {
    name: "no difference in another order",
    before: [at("a", "h:1", { labels: { x: "1", y: "2" } }), at("b", "h:2")],
    after: [at("b", "h:2"), at("a", "h:1", { labels: { y: "2", x: "1" } })],
    changes: [],
    gone: [],
  },
  {
    name: "another label",
    before: [at("a", "h:1", { labels: { x: "1" } })],
    after: [at("a", "h:1", { labels: { y: "1" } })],
    changes: ["added a h:1"],
    gone: [],
  },
  {
    name: "another address",
    before: [at("a", "h:1")],
    after: [at("a", "h:2")],
    changes: ["added a h:2"],
    gone: ["h:1"],
  },
  {
    name: "an address that a successor took over",
    before: [at("a", "h:1")],
    after: [at("b", "h:1")],
    changes: ["removed a", "added b h:1"],
    gone: [],
  },
  {
    name: "a successor of the same name and address",
    before: [at("a", "h:1", { incarnation: "u1" })],
    after: [at("a", "h:1", { incarnation: "u2" })],
    changes: ["removed a", "added a h:1"],
    gone: [],
  },
];

for (const { name, before, after, changes, gone } of CASES) {
  test(`endpoint-set: ${name}`, () => {
    const set = new EndpointSet();
    set.replace(before);
    const diff = set.replace(after);
    const words = diff.changes.map((change) =>
      change.kind === "added"
        ? `added ${change.endpoint.id} ${change.endpoint.address}`
        : `removed ${change.id}`,
    );
    assert.deepEqual(words, changes);
    assert.deepEqual(diff.goneAddresses, gone);
    assert.deepEqual(set.replace(after), { changes: [], goneAddresses: [] });
  });
}
