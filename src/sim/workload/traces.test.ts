import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../../core/config-error.ts";
import { azureTrace } from "./azure-trace.ts";
import { mooncakeTrace } from "./mooncake-trace.ts";
import type { TraceSource } from "./trace-line.ts";
import type { Arrival, Workload } from "./workload.ts";

const FORMATS: Readonly<Record<string, (source: TraceSource) => Workload>> = {
  mooncake: mooncakeTrace,
  azure: azureTrace,
};

async function read(format: string, lines: readonly string[], isSorted = false) {
  const arrivals: Arrival[] = [];
  const workload = FORMATS[format]?.({ file: "trace", lines, isSorted });
  for (const stage of workload?.stages() ?? []) {
    for await (const arrival of stage.arrivals) arrivals.push(arrival);
  }
  return arrivals;
}

const mooncake = (timestamp: number, input: number, ids: readonly number[]): string =>
  JSON.stringify({ timestamp, input_length: input, output_length: 5, hash_ids: ids });
const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

test("mooncake: ids become segments of 512 tokens, the last one partial", async () => {
  const [first, second] = await read("mooncake", [
    mooncake(0, 600, [0, 7]),
    mooncake(27, 512, [0]),
    "",
  ]);
  assert.deepEqual(first?.request.segments, [
    { id: 0, tokenCount: 512 },
    { id: 7, tokenCount: 88 },
  ]);
  assert.equal(first?.request.outputTokens, 5);
  assert.equal(second?.atUs, 27_000);
});

test("azure: times count from the first row, to the microsecond", async () => {
  const rows = [
    HEADER,
    "2023-11-16 23:59:59.9799600,4808,10",
    "2023-11-17 00:00:00.0319610,3180,8",
    "2023-11-17 00:00:01,1,1",
  ];
  const arrivals = await read("azure", rows);
  assert.deepEqual(
    arrivals.map(({ atUs }) => atUs),
    [0, 52_001, 1_020_040],
  );
  assert.deepEqual(
    arrivals.map(({ request }) => request.segments[0]?.tokenCount),
    [4808, 3180, 1],
  );
  const ids = new Set(arrivals.map(({ request }) => request.segments[0]?.id));
  assert.equal(ids.size, 3);
});

const faults: readonly [
  name: string,
  format: string,
  lines: readonly string[],
  line: number,
  says: RegExp,
][] = [
  [
    "what is no JSON",
    "mooncake",
    [mooncake(0, 1, [0]), "{"],
    2,
    /not JSON; expected \{"timestamp"/,
  ],
  ["a list", "mooncake", ["[]"], 1, /timestamp is not/],
  ["a missing time", "mooncake", ['{"input_length":1}'], 1, /timestamp is not/],
  ["a prompt of no tokens", "mooncake", [mooncake(0, 0, [])], 1, /input_length/],
  [
    "ids that are texts",
    "mooncake",
    ['{"timestamp":0,"input_length":1,"output_length":1,"hash_ids":["a"]}'],
    1,
    /hash_ids/,
  ],
  [
    "too few ids",
    "mooncake",
    [mooncake(0, 600, [1])],
    1,
    /have 2 blocks of 512, and hash_ids has 1/,
  ],
  [
    "a time that goes back",
    "mooncake",
    [mooncake(5, 1, [0]), "", mooncake(3, 1, [0])],
    3,
    /2 ms before .* --sort/,
  ],
  ["no heading", "azure", ["2023-11-16 18:17:03,1,1"], 1, /heading TIMESTAMP,/],
  ["a row of another shape", "azure", [HEADER, "yesterday,1,1"], 2, /expected YYYY-MM-DD/],
  ["a request of no tokens", "azure", [HEADER, "2023-11-16 18:17:03,0,1"], 2, /at least one token/],
  [
    "a time that goes back",
    "azure",
    [HEADER, "2023-11-16 18:17:03,1,1", "2023-11-16 18:17:02,1,1"],
    3,
    /1000 ms before/,
  ],
];
for (const [name, format, lines, line, says] of faults) {
  test(`${format}: ${name} is a fault of line ${line}`, async () => {
    await assert.rejects(read(format, lines), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, says);
      assert.equal(error.faults[0]?.position?.line, line);
      return true;
    });
  });
}

test("traces: sorting puts times in order and begins at 0", async () => {
  const lines = [mooncake(50, 1, [1]), mooncake(20, 2, [2]), mooncake(50, 3, [3])];
  const arrivals = await read("mooncake", lines, true);
  assert.deepEqual(
    arrivals.map(({ atUs, request }) => [atUs, request.segments[0]?.id]),
    [
      [0, 2],
      [30_000, 1],
      [30_000, 3],
    ],
  );
});
