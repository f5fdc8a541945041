import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { request as send, type Dispatcher as Undici } from "undici";
import { noLog } from "../core/log.ts";
import { DEFAULT_LEGS_SETTINGS, type LegsSettings } from "../dispatch/legs/legs-settings.ts";
import { type Sidecar, type SidecarOptions, startSidecar } from "./start-sidecar.ts";

/** The path of most tests. */
export const CHAT: string = "/v1/chat/completions";
export const PD: string = "x-switchyard-pd";
export const HANDLE: string =
  '{"do_remote_prefill":true,"remote_block_ids":[9007199254740993,2],"new":[[]]}';
export const PREFILLED: string = `{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}},"kv_transfer_params":${HANDLE}}`;
export const BODY: string = '{"seed":9007199254740993,"max_tokens":64,"messages":[]}';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export type Answer = (response: ServerResponse, received: Received) => void;

/** A fake engine that notes what it is asked. */
export class Engine implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly sockets: Set<Socket> = new Set();
  readonly #server;

  constructor(answer: Answer) {
    const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = (await buffer(request)).toString();
      const received = { path: request.url ?? "", headers: request.headers, body };
      this.received.push(received);
      answer(response, received);
    };
    this.#server = createServer((request, response) => {
      serve(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", (socket) => this.sockets.add(socket));
  }

  static async start(answer: Answer): Promise<Engine> {
    const engine = new Engine(answer);
    engine.#server.listen(0, "127.0.0.1");
    await once(engine.#server, "listening");
    return engine;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const json =
  (text: string, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
  };
export const prefilled: Answer = json(PREFILLED);
export const decoded: Answer = json(
  '{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8}}}',
);

export async function deadAddress(): Promise<string> {
  await using engine = await Engine.start(decoded);
  return engine.address;
}

interface SomeLegs {
  readonly legs?: Partial<LegsSettings>;
}

export async function sidecarTo(
  engine: string,
  { legs, ...options }: Partial<Omit<SidecarOptions, "legs">> & SomeLegs = {},
): Promise<Sidecar & AsyncDisposable> {
  const sidecar = await startSidecar({
    host: "127.0.0.1",
    port: 0,
    engine: { host: "127.0.0.1", port: Number(engine.split(":")[1]) },
    legs: { ...DEFAULT_LEGS_SETTINGS, ...legs },
    clock: { nowMs: () => performance.now() },
    timeScale: 1,
    log: noLog,
    ...options,
  });
  return { ...sidecar, [Symbol.asyncDispose]: () => sidecar.close() };
}

export function ask(
  sidecar: Sidecar,
  prefill: string | string[],
  options: { path?: string; body?: string } = {},
): Promise<Undici.ResponseData> {
  return send(`http://${sidecar.address}${options.path ?? CHAT}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-prefiller-host-port": prefill,
      "x-request-id": "abc",
      "x-switchyard-pd": "outcome=local",
    },
    body: options.body ?? BODY,
  });
}
