import assert from "node:assert/strict";
import test from "node:test";
import { type ClientEnd, Ledger } from "./ledger.ts";

function ledgerAfter(
  end: ClientEnd | undefined,
  line: { status: number; how: string } | undefined,
) {
  const ledger = new Ledger();
  ledger.sent("a");
  if (end !== undefined) ledger.ended("a", end);
  if (line !== undefined) ledger.logged({ requestId: "a", ...line });
  return ledger;
}

test("soak: a request whose two sides agree is forgotten", () => {
  for (const [end, line] of [
    [
      { kind: "answered", status: 200 },
      { status: 200, how: "completed" },
    ],
    [
      { kind: "answered", status: 400 },
      { status: 400, how: "rejected" },
    ],
    [{ kind: "left" }, { status: 499, how: "client-left" }],
    [{ kind: "left" }, { status: 200, how: "completed" }],
    [{ kind: "cut" }, { status: 200, how: "connection-lost" }],
  ] as const) {
    const ledger = ledgerAfter(end, line);
    assert.equal(ledger.openCount, 0);
    ledger.close();
    assert.deepEqual(ledger.faults, []);
  }
});

test("soak: what one side does not know or knows otherwise is a fault", () => {
  for (const [end, line] of [
    [undefined, undefined],
    [{ kind: "answered", status: 200 }, undefined],
    [undefined, { status: 200, how: "completed" }],
    [
      { kind: "answered", status: 200 },
      { status: 502, how: "connect-failed" },
    ],
    [{ kind: "cut" }, { status: 200, how: "completed" }],
  ] as const) {
    const ledger = ledgerAfter(end, line);
    ledger.close();
    assert.notEqual(ledger.faultCount, 0);
  }
});

test("soak: a line too many is a fault, whether its request is open or forgotten", () => {
  const line = { status: 200, how: "completed" };
  const open = ledgerAfter(undefined, line);
  open.logged({ requestId: "a", ...line });
  const forgotten = ledgerAfter({ kind: "answered", status: 200 }, line);
  forgotten.logged({ requestId: "a", ...line });
  assert.deepEqual([open.faultCount, forgotten.faultCount], [1, 1]);
});
