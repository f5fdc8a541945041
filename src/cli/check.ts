import process from "node:process";
import { Command } from "commander";
import { checkFacts } from "../app/check-facts.ts";
import { checkFiles } from "../check/check-files.ts";
import { checksPage } from "../check/checks-page.ts";
import { renderDiagnostics } from "../check/render-diagnostics.ts";
import type { Diagnostic } from "../check/rule.ts";
import { type RunningRouter, readRunningRouter } from "../check/running-router.ts";
import { findTarget, TARGET_NAMES, type TargetName } from "../check/targets.ts";
import { invariant } from "../core/invariant.ts";
import { EXIT } from "./exit.ts";
import { shownPath } from "./load-input.ts";
import { oneOf } from "./option-values.ts";
import { addPluginFlags, loadOptionsOf, type PluginFlags } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { UsageError } from "./usage-error.ts";

interface CheckFlags extends PluginFlags {
  readonly target: TargetName;
  readonly gpu?: string;
  readonly live?: string;
  readonly strict?: true;
  readonly json?: true;
  readonly rules?: true;
}

const EXAMPLE = `
Example:
  switchyard check examples/gpt-oss-20b.yaml --target kserve-0.18
  switchyard check examples/gpt-oss-20b.yaml examples/qwen-pd.yaml --strict
  switchyard check examples/qwen-pd.yaml --live http://127.0.0.1:9090

Exit codes: 0 no error, 1 an error (with --strict a warning), 2 unreadable file or wrong usage.
The rules are listed in docs/checks.md.`;

/** `check`: files linted, with reasons. */
export function checkCommand(): Command {
  const command = new Command("check")
    .description("Find what fails or does nothing in a picker configuration or a manifest.")
    .argument("[file...]", "LLMInferenceService or EndpointPickerConfig; two are compared as well")
    .option(
      `--target <${TARGET_NAMES.join("|")}>`,
      "platform that the files are for",
      oneOf(TARGET_NAMES),
      "switchyard" as const,
    )
    .option("--gpu <name>", "GPU of the engines, to judge cache sizes; all known ones unless set")
    .option("--live <url>", "admin URL of a running router to compare with")
    .option("--strict", "fail on warnings too");
  return addPluginFlags(command)
    .option("--json", "print the findings as JSON")
    .option("--rules", "print the rules as Markdown instead, as in docs/checks.md")
    .addHelpText("after", EXAMPLE)
    .action((paths: readonly string[], flags: CheckFlags) => check(paths, flags));
}

async function check(paths: readonly string[], flags: CheckFlags): Promise<void> {
  if (flags.rules === true) {
    process.stdout.write(checksPage());
    return;
  }
  if (paths.length === 0) throw new UsageError("name at least one file to check");
  const target = findTarget(flags.target);
  invariant(target !== undefined, `target ${flags.target} is in the list and not in the table`);
  const files = paths.map((path) => ({
    file: shownPath(path),
    text: readInput(path).toString("utf8"),
  }));
  const diagnostics = checkFiles(files, {
    target,
    facts: checkFacts(flags.gpu),
    ...(await loadOptionsOf(flags)),
    running: flags.live === undefined ? undefined : await fetchRouter(flags.live),
  });
  console.log(
    flags.json === true
      ? JSON.stringify(diagnostics, null, 2)
      : renderDiagnostics(diagnostics, {
          files,
          target: target.name,
          hasColours: process.stdout.isTTY,
        }),
  );
  process.exitCode = diagnostics.some((found) => isFailure(found, flags)) ? EXIT.failed : EXIT.done;
}

function isFailure({ severity }: Diagnostic, { strict }: CheckFlags): boolean {
  return severity === "error" || (strict === true && severity === "warning");
}

/** An admin API that takes longer is not answering. */
const FETCH_TIMEOUT_MS = 10_000;

async function fetchRouter(url: string): Promise<RunningRouter> {
  if (!URL.canParse(url)) throw new UsageError(`--live ${url}: must be a URL`);
  const [endpoints, config] = await Promise.all(
    ["/api/endpoints", "/api/config"].map((path) => fetchJson(new URL(path, url))),
  );
  return readRunningRouter(endpoints, config);
}

async function fetchJson(url: URL): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) throw new UsageError(`${url} answers ${response.status}`);
    return await response.json();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`cannot read ${url}: ${reason}`);
  }
}
