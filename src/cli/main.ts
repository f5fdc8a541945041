import process from "node:process";
import { Command, CommanderError } from "commander";
import { ConfigError } from "../core/config-error.ts";
import { checkCommand } from "./check.ts";
import { compareCommand } from "./compare.ts";
import { engineCommand } from "./engine.ts";
import { eppCommand } from "./epp.ts";
import { EXIT } from "./exit.ts";
import { explainCommand } from "./explain.ts";
import { migrateCommand } from "./migrate.ts";
import { replayCommand } from "./replay.ts";
import { serveCommand } from "./serve.ts";
import { sidecarCommand } from "./sidecar.ts";
import { simulateCommand } from "./simulate.ts";
import { upCommand } from "./up.ts";
import { UsageError } from "./usage-error.ts";

// A promise that nobody waits for would hide the fault that rejected it.
process.on("unhandledRejection", (reason) => {
  console.error(reason);
  process.exit(EXIT.failed);
});

const program = new Command("switchyard")
  .description(
    "An LLM inference router that runs llm-d and KServe configurations and shows why it chose.",
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });
for (const command of [
  upCommand(),
  serveCommand(),
  eppCommand(),
  sidecarCommand(),
  explainCommand(),
  engineCommand(),
  checkCommand(),
  compareCommand(),
  migrateCommand(),
  simulateCommand(),
  replayCommand(),
]) {
  program.addCommand(command.exitOverride());
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ConfigError || error instanceof UsageError) {
    console.error(`switchyard: ${error.message.replaceAll("\n", "\nswitchyard: ")}`);
    return EXIT.usage;
  }
  console.error(error instanceof Error ? `switchyard: ${error.message}` : error);
  return EXIT.failed;
}
