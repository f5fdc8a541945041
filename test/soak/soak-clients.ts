import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { Rng } from "../../src/core/rng.ts";
import type { ClientEnd, Ledger } from "./ledger.ts";
import { MODEL } from "./soaked-engines.ts";

const CLIENTS = 24;
const PAUSE_MS_MAX = 50;
const SLOW_READ_MS = 500;
const SLOW_READS = 3;
const EARLY_LEAVE_MS = 20;
const ANSWER_MS_MAX = 60_000;
const SHARED_PREFIXES = 20;
const PATH = "/v1/chat/completions";

type Kind = "plain" | "streamed" | "leaves" | "leaves-early" | "slow" | "bad";

/** What is sent, a hundred times over. */
const SHARES: readonly (readonly [Kind | "garbage", number])[] = [
  ["plain", 35],
  ["streamed", 27],
  ["leaves", 12],
  ["leaves-early", 5],
  ["slow", 8],
  ["bad", 10],
  ["garbage", 3],
];

interface Asked {
  readonly path: string;
  readonly body: string;
  /** The only right answer, where there is one. */
  readonly status?: number;
}

const BAD: readonly Asked[] = [
  { path: PATH, body: '{"model": "x", ', status: 400 },
  {
    path: PATH,
    body: JSON.stringify({ model: "none", messages: [{ role: "user", content: "a" }] }),
    status: 404,
  },
  { path: "/v2/nothing", body: "{}", status: 404 },
  { path: `${PATH}/../../etc`, body: "{}", status: 404 },
];

/** Mixed traffic of several clients, each with one request at a time. */
export class SoakClients {
  readonly #port: number;
  readonly #ledger: Ledger;
  readonly #rng: Rng;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: CLIENTS });
  #number = 0;

  constructor(port: number, ledger: Ledger, rng: Rng) {
    this.#port = port;
    this.#ledger = ledger;
    this.#rng = rng;
  }

  /** Sends until the time or the count is up; resolves once every request has ended. */
  async run(untilMs: number, requestsMax: number): Promise<void> {
    const last = this.#number + requestsMax;
    const client = async (): Promise<void> => {
      while (performance.now() < untilMs && this.#number < last) {
        await this.#sendOne();
        await delay(this.#rng.below(PAUSE_MS_MAX));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  }

  /** Closes the connections that were kept. */
  close(): void {
    this.#agent.destroy();
  }

  async #sendOne(): Promise<void> {
    const kind = drawn(this.#rng);
    const number = this.#number++;
    if (kind === "garbage") return await this.#sendGarbage();
    const id = `soak-${number}`;
    this.#ledger.sent(id);
    this.#ledger.count(kind);
    const asked = kind === "bad" ? this.#badOne() : this.#goodOne(kind, number);
    const end = await this.#exchange(id, kind, asked);
    this.#ledger.ended(id, end);
    if (end.kind !== "answered") return;
    this.#ledger.count(`answered ${end.status}`);
    if (asked.status !== undefined && asked.status !== end.status) {
      this.#ledger.fault(`${id}: ${end.status} for ${asked.path}, not ${asked.status}`);
    }
  }

  #badOne(): Asked {
    return BAD[this.#rng.below(BAD.length)] as Asked;
  }

  #goodOne(kind: Kind, number: number): Asked {
    const shared = `Document ${this.#rng.below(SHARED_PREFIXES)}. ${"The same words again. ".repeat(60)}`;
    const messages = [{ role: "user", content: `${shared} Question ${number}` }];
    const stream = kind !== "plain" && kind !== "leaves-early";
    const tokens = kind === "slow" ? 1000 : 10 + this.#rng.below(60);
    const body = JSON.stringify({ model: MODEL, messages, stream, max_tokens: tokens });
    return { path: PATH, body };
  }

  #exchange(id: string, kind: Kind, { path, body }: Asked): Promise<ClientEnd> {
    const { promise, resolve } = Promise.withResolvers<ClientEnd>();
    const headers = { "x-request-id": id, "content-length": Buffer.byteLength(body) };
    const options = { host: "127.0.0.1", port: this.#port, path, method: "POST", headers };
    const sent = request({ ...options, agent: this.#agent });
    const timer = setTimeout(() => {
      this.#ledger.fault(`${id}: no end after ${ANSWER_MS_MAX / 1000} s`);
      sent.destroy();
    }, ANSWER_MS_MAX);
    const leave = (): void => {
      resolve({ kind: "left" });
      sent.destroy();
    };
    sent.on("error", () => resolve({ kind: "cut" }));
    sent.on("response", (response) => read(response, kind, { leave, resolve }));
    sendBody(sent, kind, { body, leave });
    return promise.finally(() => clearTimeout(timer));
  }

  /** What is no HTTP is answered without a line in the access log. */
  async #sendGarbage(): Promise<void> {
    this.#ledger.count("garbage");
    const socket = connect(this.#port, "127.0.0.1");
    await once(socket, "connect");
    socket.end("NO HTTP AT ALL\r\n\r\n");
    const answer = await text(socket);
    if (!answer.startsWith("HTTP/1.1 400 ")) this.#ledger.fault("garbage was not answered 400");
  }
}

function drawn(rng: Rng): Kind | "garbage" {
  let left = rng.below(100);
  for (const [kind, share] of SHARES) {
    if (left < share) return kind;
    left -= share;
  }
  return "plain";
}

function sendBody(
  sent: ClientRequest,
  kind: Kind,
  { body, leave }: { readonly body: string; readonly leave: () => void },
): void {
  if (kind !== "leaves-early") {
    sent.end(body);
    return;
  }
  sent.write(body.slice(0, body.length / 2), () => setTimeout(leave, EARLY_LEAVE_MS));
}

function read(
  response: IncomingMessage,
  kind: Kind,
  on: { readonly leave: () => void; readonly resolve: (end: ClientEnd) => void },
): void {
  const status = response.statusCode ?? 0;
  let chunkCount = 0;
  response.on("data", () => {
    chunkCount++;
    if (kind === "leaves" && status === 200) on.leave();
    if (kind !== "slow" || chunkCount > SLOW_READS) return;
    response.pause();
    setTimeout(() => response.resume(), SLOW_READ_MS);
  });
  response.on("error", () => on.resolve({ kind: "cut" }));
  response.on("close", () =>
    on.resolve(response.complete ? { kind: "answered", status } : { kind: "cut" }),
  );
}
