// Reading bodies by the scanner against JSON.parse, one escape in 37 bytes; medians of rounds in turns:
//   node test/bench/body.ts [--short] [KB…]
import { requestId } from "../../src/core/brand.ts";
import { invariant } from "../../src/core/invariant.ts";
import type { BodyScanner } from "../../src/request/body-scanner.ts";
import { parseRequest } from "../../src/request/parse-request.ts";
import { ReceivedBody } from "../../src/request/received-body.ts";
import { WasmBlockHasher } from "../../src/request/wasm-block-hasher.ts";
import { WasmBodyScanner } from "../../src/request/wasm-body-scanner.ts";
import { type BenchRun, type Measure, runProgram } from "./measure.ts";

const BYTES_PER_ROUND = 8 << 20;
const CALLS_MAX = 2000;
const SENTENCE =
  'A "prompt" as people write them goes\non, line by line, from one thing to the next. ';

const hasher = new WasmBlockHasher();
const scanner = new WasmBodyScanner();

if (import.meta.main) await runProgram(measureBodies);

/** Time to read a body of each size. */
export function measureBodies({ isShort, numbers: sizes }: BenchRun): readonly Measure[] {
  const rounds = isShort ? 5 : 41;
  return (sizes.length > 0 ? sizes : [0.25, 1, 16, 220, 512]).map((kb) => compare(kb, rounds));
}

function compare(kb: number, rounds: number): Measure {
  const content = SENTENCE.repeat(Math.ceil((kb * 1024) / SENTENCE.length)).slice(0, kb * 1000);
  const messages = [
    { role: "system", content: "You help." },
    { role: "user", content },
  ];
  const text = JSON.stringify({ model: "org/model", messages, stream: true, max_tokens: 100 });
  const body = Buffer.from(text);
  const calls = Math.max(1, Math.min(CALLS_MAX, Math.floor(BYTES_PER_ROUND / body.length)));
  const scannedUs: number[] = [];
  const parsedUs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    scannedUs.push(readUs(body, calls, scanner));
    parsedUs.push(readUs(body, calls, undefined));
  }
  const [scanned, parsed] = [median(scannedUs), median(parsedUs)];
  const name = `body scan, ${kb} KB`;
  return { name, value: scanned, unit: "us", peer: "JSON.parse", ratio: scanned / parsed };
}

function readUs(body: Uint8Array, calls: number, by: BodyScanner | undefined): number {
  const id = requestId("bench");
  const received = {
    id,
    path: "/v1/chat/completions",
    kind: "chat",
    headers: {},
    body: new ReceivedBody([body]),
  } as const;
  const startMs = performance.now();
  for (let call = 0; call < calls; call++) {
    const parsed = parseRequest(received, hasher, by);
    invariant(parsed.kind === "parsed", "the body can be read");
  }
  return (1000 * (performance.now() - startMs)) / calls;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >>> 1] ?? Number.NaN;
}
