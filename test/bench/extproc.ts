// Exchanges per second and core of the picker's ext_proc over TLS, against grpc-js that only echoes:
//   node test/bench/extproc.ts [--short] [exchanges] [concurrency] [rounds]
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ProcessingRequestSchema } from "../../src/front/extproc/gen/envoy/service/ext_proc/v3/external_processor_pb.ts";
import { frameOf, HeldBytes, MessageReader } from "../../src/front/extproc/grpc-frames.ts";
import { PROCESS_PATH } from "../../src/front/extproc/processor-service.ts";
import { type BenchRun, type Measure, runProgram } from "./measure.ts";

const RATIO_MIN = 1.4;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const headers = (count: number, more: Readonly<Record<string, string>>) => ({
  headers: {
    headers: [
      ...Object.entries(more).map(([key, value]) => ({ key, rawValue: text(value) })),
      ...Array.from({ length: count }, (_, i) => ({
        key: `x-header-${i}`,
        rawValue: text(`value ${i}`),
      })),
    ],
  },
});
const frame = (request: MessageInitShape<typeof ProcessingRequestSchema>["request"]): Buffer =>
  frameOf(
    toBinary(
      ProcessingRequestSchema,
      create(ProcessingRequestSchema, request === undefined ? {} : { request }),
    ),
  );

const body = text(JSON.stringify({ model: "m", prompt: "The quick brown fox. ".repeat(50) }));
const asked = Buffer.concat([
  frame({
    case: "requestHeaders",
    value: headers(14, { ":method": "POST", ":path": "/v1/completions" }),
  }),
  frame({ case: "requestBody", value: { body, endOfStream: true } }),
]);
const answered = Buffer.concat([
  frame({
    case: "responseHeaders",
    value: headers(6, { ":status": "200", "content-type": "application/json" }),
  }),
  frame({
    case: "responseBody",
    value: { body: text('{"usage":{"prompt_tokens":9}}'), endOfStream: true },
  }),
]);

const LIMITS = { messageBytesMax: 1 << 20, held: new HeldBytes(1 << 30) };

/** One server in a process of its own, and a connection to it. */
class Side {
  readonly #child: ChildProcess;
  readonly #session: ClientHttp2Session;

  private constructor(child: ChildProcess, session: ClientHttp2Session) {
    this.#child = child;
    this.#session = session;
  }

  static async start(role: "picker" | "echo"): Promise<Side> {
    const server = fileURLToPath(new URL("./extproc-server.ts", import.meta.url));
    const child = fork(server, [role]);
    const [{ port }] = (await once(child, "message")) as [{ port: number }];
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    await once(session, "connect");
    return new Side(child, session);
  }

  /** Exchanges per second of the server's CPU time. */
  async run(exchanges: number, concurrency: number): Promise<number> {
    const before = await this.#cpuUs();
    let left = exchanges;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.#exchange();
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return exchanges / (((await this.#cpuUs()) - before) / 1e6);
  }

  stop(): void {
    this.#session.destroy();
    this.#child.kill();
  }

  async #cpuUs(): Promise<number> {
    const told = once(this.#child, "message");
    this.#child.send("cpu");
    const [{ cpuUs }] = (await told) as [{ cpuUs: number }];
    return cpuUs;
  }

  #exchange(): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": PROCESS_PATH,
        "content-type": "application/grpc",
        te: "trailers",
      });
      let replyCount = 0;
      const reader = new MessageReader(LIMITS, () => replyCount++);
      stream.on("data", (chunk: Buffer) => {
        reader.push(chunk);
        if (replyCount === 2 && !stream.writableEnded) stream.end(answered);
      });
      stream.on("error", reject);
      stream.on("trailers", (trailers) => {
        if (trailers["grpc-status"] !== "0" || replyCount !== 4) {
          reject(new Error(`status ${trailers["grpc-status"]} after ${replyCount} replies`));
        }
      });
      stream.on("close", resolve);
      stream.write(asked);
    });
  }
}

if (import.meta.main) await runProgram(measureExtProc);

/** The picker beside a peer that does less, in turns; the first round warms both up. */
export async function measureExtProc(run: BenchRun): Promise<readonly Measure[]> {
  const { isShort, numbers } = run;
  const [exchanges = isShort ? 4000 : 20_000, concurrency = 64, rounds = isShort ? 1 : 3] = numbers;
  const picker = await Side.start("picker");
  const echo = await Side.start("echo");
  const turns: { readonly own: number; readonly peer: number }[] = [];
  const { isLimit } = await clientLoad(async () => {
    for (let round = 0; round <= rounds; round++) {
      const own = await picker.run(exchanges, concurrency);
      turns.push({ own, peer: await echo.run(exchanges, concurrency) });
    }
  });
  picker.stop();
  echo.stop();
  const measured = turns.slice(1).sort((one, other) => one.own / one.peer - other.own / other.peer);
  const { own, peer } = measured[measured.length >>> 1] ?? { own: Number.NaN, peer: Number.NaN };
  return [
    {
      name: "ext_proc over TLS, exchanges",
      value: own,
      unit: "/s/core",
      peer: "grpc-js",
      ratio: own / peer,
      budget: { limit: RATIO_MIN, isAtLeast: true, isRatio: true },
      ...(isLimit && { remark: "the client was the limit" }),
    },
  ];
}

/** Whether this process, which is the client, had no time to spare. */
async function clientLoad(work: () => Promise<void>): Promise<{ readonly isLimit: boolean }> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1000 / (performance.now() - startMs);
  console.log(`ext_proc: the client used ${share.toFixed(2)} of a core`);
  return { isLimit: share > 0.9 };
}
