import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { get } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { RequestLine } from "./ledger.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const REPORTER = new URL("./memory-reporter.ts", import.meta.url).href;
const GREETING = /^Router on http:\S+:(\d+)\/v1, admin on port (\d+)/;
const LOG_LINES_KEPT = 50;

/** What is left in the router's process after a collection. */
export interface MemoryAfterGc {
  readonly rss: number;
  readonly heapUsed: number;
}

/** `switchyard serve` as a process of its own, whose memory, sockets and access log are watched. */
export class SoakedRouter implements AsyncDisposable {
  readonly port: number;
  readonly #adminPort: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, adminPort: number) {
    this.#child = child;
    this.port = port;
    this.#adminPort = adminPort;
  }

  static async start(
    args: readonly string[],
    onRequestLine: (line: RequestLine) => void,
  ): Promise<SoakedRouter> {
    const ports = ["--port", "0", "--admin-port", "0"];
    const child = fork(MAIN, ["serve", ...args, ...ports], {
      execArgv: ["--expose-gc", "--import", REPORTER],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const started = Promise.withResolvers<RegExpExecArray>();
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        const greeting = GREETING.exec(line);
        if (greeting !== null) started.resolve(greeting);
        else if (line.includes('"event":"request"')) onRequestLine(JSON.parse(line) as RequestLine);
        else if (said.push(line) > LOG_LINES_KEPT) said.shift();
      });
    }
    child.once("exit", (code, signal) =>
      started.reject(new Error(`serve ended with ${code ?? signal}: ${said.join("\n")}`)),
    );
    const [, port, adminPort] = await started.promise;
    return new SoakedRouter(child, Number(port), Number(adminPort));
  }

  /** Undefined while it runs. */
  get exitCode(): number | string | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined;
  }

  async memory(): Promise<MemoryAfterGc> {
    const told = once(this.#child, "message");
    this.#child.send("memory");
    const [memory] = (await told) as [MemoryAfterGc];
    return memory;
  }

  /** Sockets of its process, those that listen included. */
  socketCount(): number {
    const folder = `/proc/${this.#child.pid}/fd`;
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`).startsWith("socket:");
      } catch {
        // Closed since the folder was read.
        return false;
      }
    }).length;
  }

  /** Requests decided and not ended. */
  async inFlight(): Promise<number> {
    const { pools } = await this.#admin<{ pools: readonly { inFlight: number }[] }>("/api/config");
    return pools.reduce((sum, pool) => sum + pool.inFlight, 0);
  }

  async readyCount(): Promise<number> {
    const endpoints = await this.#admin<readonly { isReady: boolean }[]>("/api/endpoints");
    return endpoints.filter(({ isReady }) => isReady).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.exitCode !== undefined) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }

  /** On a connection of its own, which does not stay. */
  async #admin<T>(path: string): Promise<T> {
    const request = get({ host: "127.0.0.1", port: this.#adminPort, path, agent: false });
    const [response] = await once(request, "response");
    return JSON.parse(await text(response)) as T;
  }
}
