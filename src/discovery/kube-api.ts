import { type IncomingMessage, request as requestPlain } from "node:http";
import { type RequestOptions, request as requestTls } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { KubeFault, oneLine } from "./kube-fault.ts";

/** One request to the API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** From the root, such as `/api/v1/namespaces/default/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** The API server of a cluster, as JSON over HTTP with the credentials of a kubeconfig. */
export class KubeApi {
  readonly #config: KubeConfig;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** The answer's object; throws KubeFault for a status that is not 2xx and for an answer that is none. */
  async json(request: KubeRequest): Promise<unknown> {
    const answer = await this.#send(request);
    const text = await readText(answer, ANSWER_BYTES_MAX);
    if (!isGood(answer)) throw faultOf(answer, text);
    try {
      return JSON.parse(text);
    } catch {
      throw new KubeFault("the answer is not JSON", { status: answer.statusCode });
    }
  }

  /**
   * The lines of a watch, those that came together at once and none of them when the server has accepted
   * it; ends when the server ends it. Throws for a line that is too long; a line without end is dropped.
   */
  async *lines(request: KubeRequest): AsyncGenerator<readonly string[]> {
    const answer = await this.#send(request);
    if (!isGood(answer)) throw faultOf(answer, await readText(answer, STATUS_BYTES_MAX));
    try {
      yield [];
      yield* batchesOf(answer as AsyncIterable<Buffer>);
    } finally {
      answer.destroy();
    }
  }

  async #send({ method, path, query = {}, body, signal }: KubeRequest): Promise<IncomingMessage> {
    const server = this.#config.getCurrentCluster()?.server ?? "";
    const url = new URL(server.replace(/\/+$/, "") + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options: RequestOptions & { headers: Record<string, string | number> } = {
      method,
      signal,
      headers: {
        accept: "application/json",
        "user-agent": "switchyard",
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      },
    };
    // Certificates and tokens are asked for each time: files of tokens are renewed while this runs.
    await this.#config.applyToHTTPSOptions(options);
    const send = url.protocol === "http:" ? requestPlain : requestTls;
    return await new Promise((resolve, reject) => {
      const call = send(url, options, resolve);
      const late = setTimeout(() => {
        call.destroy(new KubeFault("no answer within 60 s"));
      }, HEAD_TIMEOUT_MS);
      call.on("socket", (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      call.on("response", () => clearTimeout(late));
      call.on("close", () => clearTimeout(late));
      call.on("error", reject);
      call.end(text);
    });
  }
}

const NEWLINE = 0x0a;

/** To the head of an answer; a watch has its own until its end. */
const HEAD_TIMEOUT_MS = 60_000;

/** etcd keeps objects below 1.5 MiB; as JSON with escapes they are somewhat larger. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

/** One page of a list; a pod is some ten kilobytes. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Bytes of a refusal that are read. */
const STATUS_BYTES_MAX = 64 * 1024;

/** A watch may be silent for minutes; this finds a server that is gone. */
const KEEP_ALIVE_MS = 15_000;

async function* batchesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end !== -1) {
      const text = Buffer.concat([...rest, chunk.subarray(0, end)]).toString("utf8");
      rest = [];
      restBytes = 0;
      yield text.split("\n").filter((line) => line !== "");
    }
    rest.push(chunk.subarray(end + 1));
    restBytes += chunk.length - end - 1;
    if (restBytes > LINE_BYTES_MAX) {
      throw new KubeFault("an object is larger than 4 MiB", { isResync: true });
    }
  }
}

function isGood({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

async function readText(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) throw new KubeFault(`the answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function faultOf({ statusCode, headers }: IncomingMessage, text: string): KubeFault {
  const seconds = Number(headers["retry-after"] ?? Number.NaN);
  return new KubeFault(`status ${statusCode}: ${messageOf(text)}`, {
    status: statusCode,
    ...(seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}),
  });
}

/** `message` of a `Status` object, or the text itself: proxies answer in plain text. */
function messageOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === "object" && status !== null && "message" in status) {
      return oneLine(String(status.message));
    }
  } catch {
    // The text is shown as it is.
  }
  return oneLine(text);
}
