// Entry of the engine host's process: runs every simulated engine and sidecar of an `up`.
import process from "node:process";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import { createLog } from "../telemetry/create-log.ts";
import type { HostCommand, HostMessage } from "./engine-host-protocol.ts";
import { HostedEngine } from "./hosted-engine.ts";

const engines = new Map<string, HostedEngine>();

// Ctrl-C reaches the whole process group; the parent drains first and then says stop.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
// Without its parent the host has nobody to serve: nothing may be left running.
process.on("disconnect", () => process.exit(0));
process.on("message", (command: HostCommand) => {
  run(command).catch((error: unknown) => {
    tell({ kind: "launch-failed", message: messageOf(error) });
  });
});

async function run(command: HostCommand): Promise<void> {
  switch (command.kind) {
    case "launch":
      await launch(command);
      break;
    case "kill":
    case "start":
      await control(command);
      break;
    case "stop":
      await Promise.all([...engines.values()].map((engine) => engine.close()));
      process.disconnect();
      break;
  }
}

async function launch(command: Extract<HostCommand, { kind: "launch" }>): Promise<void> {
  const { host, timeScale, seed, prefillFallback } = command;
  const settings = {
    host,
    timeScale,
    seed,
    prefillFallback,
    hasher: new WasmBlockHasher(),
    clock: scaledClock(timeScale),
    log: createLog({ level: "warn", stream: process.stderr }),
    onKvEvents: (engine: string, events: Extract<HostMessage, { kind: "kv-events" }>["events"]) =>
      tell({ kind: "kv-events", engine, events }),
  };
  const opened = await Promise.all(
    command.engines.map(async (plan) => ({
      name: plan.name,
      engine: await HostedEngine.open(plan, settings),
    })),
  );
  for (const { name, engine } of opened) engines.set(name, engine);
  tell({ kind: "launched", engines: opened.map(({ engine }) => engine.address) });
}

async function control(command: Extract<HostCommand, { kind: "kill" | "start" }>): Promise<void> {
  const engine = engines.get(command.engine);
  let error: string | undefined;
  try {
    if (engine === undefined) error = `no engine is named ${command.engine}`;
    else if (command.kind === "kill") await engine.kill();
    else await engine.start();
  } catch (fault) {
    error = messageOf(fault);
  }
  tell({ kind: "done", call: command.call, error });
}

function tell(message: HostMessage): void {
  if (process.connected) process.send?.(message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
