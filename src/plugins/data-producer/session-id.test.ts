import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { sessionId } from "../../plugin/request-attribute.ts";
import { sessionIdProducer } from "./session-id.ts";

const COOKIE = { cookieName: "sid" };

const cases: readonly {
  name: string;
  parameters?: object;
  headers?: RequestTraits["headers"];
  want: string | undefined;
}[] = [
  { name: "no header is no session", want: undefined },
  { name: "llm-d's header unless told otherwise", headers: { "x-session-id": "s1" }, want: "s1" },
  {
    name: "another header, in any case",
    parameters: { headerName: "X-Conversation" },
    headers: { "x-session-id": "s1", "x-conversation": "c1" },
    want: "c1",
  },
  { name: "spaces around it do not count", headers: { "x-session-id": " s1 " }, want: "s1" },
  { name: "a blank one is none", headers: { "x-session-id": "  " }, want: undefined },
  { name: "256 characters", headers: { "x-session-id": "s".repeat(256) }, want: "s".repeat(256) },
  {
    name: "257 characters are none",
    headers: { "x-session-id": "s".repeat(257) },
    want: undefined,
  },
  { name: "a control character is none", headers: { "x-session-id": "a\u0007b" }, want: undefined },
  { name: "a letter beyond ASCII is none", headers: { "x-session-id": "é" }, want: undefined },
  {
    name: "a cookie among others",
    parameters: COOKIE,
    headers: { cookie: "a=1; sid=s1; xsid=s2" },
    want: "s1",
  },
  {
    name: "a cookie's name is taken whole",
    parameters: COOKIE,
    headers: { cookie: "xsid=s2; sidx=s3; sid" },
    want: undefined,
  },
  {
    name: "a cookie's value keeps its equals signs",
    parameters: COOKIE,
    headers: { cookie: "sid=a=b==" },
    want: "a=b==",
  },
  {
    name: "a quoted cookie",
    parameters: COOKIE,
    headers: { cookie: 'sid="s1"' },
    want: "s1",
  },
  {
    name: "the first of two cookies",
    parameters: COOKIE,
    headers: { cookie: "sid=a; sid=b" },
    want: "a",
  },
  {
    name: "an empty cookie is none",
    parameters: COOKIE,
    headers: { cookie: "sid=" },
    want: undefined,
  },
  {
    name: "with a cookie no header counts",
    parameters: COOKIE,
    headers: { "x-session-id": "s1" },
    want: undefined,
  },
];
for (const { name, parameters, headers = {}, want } of cases) {
  test(`session-id-producer: ${name}`, () => {
    const request = requestWith({ headers });
    const { instance, cycle } = benchFor(sessionIdProducer, [{}], { parameters, request });
    instance.produce?.(cycle);
    assert.equal(cycle.get(sessionId), want);
    assert.equal(cycle.get(sessionId, "session-id-producer"), want);
  });
}

const faults: readonly [object, string][] = [
  [{ headerName: "x", cookieName: "y" }, "cookieName"],
  [{ headerName: "" }, "headerName"],
  [{ cookieName: "" }, "cookieName"],
  [{ headerName: "two words" }, "headerName"],
  [{ header: "x" }, "header"],
];
for (const [parameters, path] of faults) {
  test(`session-id-producer: ${JSON.stringify(parameters)} is a fault at ${path}`, () => {
    assert.throws(
      () => sessionIdProducer.configure(parameters),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}
