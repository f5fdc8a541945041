import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { programPath } from "./native-tools.ts";

// Load and engine on one core, whoever relays alone on the other.
const LOAD_CORE = "0";
const RELAY_CORE = "1";
// What a server says is shown only when it does not start.
const STDERR_CHARACTERS_MAX = 2000;

/** A server whose CPU time can be read. */
export class PeerProcess implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;
  #said = "";

  constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-STDERR_CHARACTERS_MAX);
    });
  }

  /** Starts a program on the relay's core and waits until it listens. */
  static async start(
    name: string,
    port: number,
    command: readonly string[],
    core: string = RELAY_CORE,
  ): Promise<PeerProcess> {
    const peer = new PeerProcess(name, port, spawnOn(core, command, ["ignore", "ignore", "pipe"]));
    await peer.#untilListening();
    return peer;
  }

  /** CPU seconds so far, those of its child processes included. */
  cpuSeconds(): number {
    const pid = this.#child.pid ?? 0;
    return [pid, ...childrenOf(pid)].reduce((sum, id) => sum + cpuSecondsOf(id), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2000);
    await exited;
    clearTimeout(timer);
  }

  async #untilListening(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (this.#child.exitCode !== null) {
        throw new Error(`${this.name} ended at its start: ${this.#said}`);
      }
      const socket = connect(this.port, "127.0.0.1");
      const [isOpen] = await Promise.race([
        once(socket, "connect").then(() => [true]),
        once(socket, "error").then(() => [false]),
      ]).catch(() => [false]);
      socket.destroy();
      if (isOpen === true) return;
      await delay(50);
    }
    throw new Error(`${this.name} does not listen on port ${this.port}`);
  }
}

/** Starts a load generator beside the relay, not on its core; its output is to be read. */
export function spawnBeside(command: readonly string[]): ChildProcess {
  return spawnOn(LOAD_CORE, command, ["ignore", "pipe", "inherit"]);
}

/** Engines of one process on the load's core, one at each port. */
export function startEngines(
  ports: readonly number[],
  upstream: string,
  intervalUs: number,
): Promise<PeerProcess> {
  const command = [upstream, ...[intervalUs, ...ports].map(String)];
  return PeerProcess.start("engine", ports.at(-1) ?? 0, command, LOAD_CORE);
}

/** Ports that nobody listens on at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function spawnOn(core: string, command: readonly string[], stdio: StdioOptions): ChildProcess {
  const taskset = programPath("taskset");
  const [program, ...args] = taskset === undefined ? command : [taskset, "-c", core, ...command];
  return spawn(program ?? "", args, { stdio });
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function cpuSecondsOf(pid: number): number {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return ns / 1e9;
}
