import assert from "node:assert/strict";
import { test } from "node:test";
import { poolOf } from "../../../test/fixtures/front-under-test.ts";
import { findRoute } from "./route.ts";

const alpha = poolOf({ name: "alpha", namespace: "team a", models: ["m"] });
const odd = poolOf({ name: "models", namespace: "v1", models: ["m"] });
const pools = [alpha, odd];

const routes: readonly (readonly [method: string, target: string, want: string])[] = [
  ["POST", "/v1/chat/completions", "inference any /v1/chat/completions"],
  [
    "POST",
    "/v1/completions?api-version=1&x=%2F",
    "inference any /v1/completions?api-version=1&x=%2F",
  ],
  ["POST", "http://router:8080/v1/embeddings", "inference any /v1/embeddings"],
  ["POST", "/team%20a/alpha/v1/completions?q", "inference alpha /v1/completions?q"],
  ["POST", "/v1/models/v1/completions", "inference models /v1/completions"],
  ["GET", "/v1/models", "models any"],
  ["HEAD", "/v1/models?limit=1", "models any"],
  ["GET", "/team%20a/alpha/v1/models", "models alpha"],
  ["GET", "/v1/models/openai/gpt-oss%2D20b", "model any openai/gpt-oss-20b"],
  ["GET", "/team%20a/alpha/v1/models/a%2Fb", "model alpha a/b"],
  ["POST", "/v1/models", "method-not-allowed GET, HEAD"],
  ["GET", "/v1/chat/completions", "method-not-allowed POST"],
  ["DELETE", "/team%20a/alpha/v1/files/1", "method-not-allowed POST"],
  ["GET", "/v1/models/%E0%A4%A", "unknown-path"],
  ["POST", "/%zz/alpha/v1/completions", "unknown-path"],
  ["POST", "/team%20a/beta/v1/completions", "unknown-path"],
  ["POST", "/v1/../health", "unknown-path"],
  ["POST", "/v1/%2e%2E/health", "unknown-path"],
  ["POST", "/v1/a\u00ffb", "unknown-path"],
  ["POST", "/v1/", "unknown-path"],
  ["POST", "/v1", "unknown-path"],
  ["POST", "/", "unknown-path"],
  ["OPTIONS", "*", "unknown-path"],
  ["GET", "", "unknown-path"],
];

for (const [method, target, want] of routes) {
  test(`route: ${method} ${target}`, () => {
    assert.equal(described(method, target), want);
  });
}

test("route: the refusal names what exists, clipped to eight pools", () => {
  const many = Array.from({ length: 10 }, (_, i) => poolOf({ name: `p${i}`, models: [] }));
  const route = findRoute("GET", "/nope", many);
  assert.ok(route.kind === "refused");
  assert.match(route.rejection.message, /default\/p0, .*default\/p7 and 2 more$/);
});

function described(method: string, target: string): string {
  const route = findRoute(method, target, pools);
  if (route.kind === "refused") {
    return [route.rejection.reason, route.allow].filter((part) => part !== undefined).join(" ");
  }
  const rest =
    route.kind === "model" ? ` ${route.id}` : route.kind === "models" ? "" : ` ${route.path}`;
  return `${route.kind} ${route.pool?.name ?? "any"}${rest}`;
}
