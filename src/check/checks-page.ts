import { ALL_RULES } from "./check-files.ts";
import { RULE_GROUPS, type RuleFacts } from "./rule.ts";
import { TARGETS, type Target } from "./targets.ts";

/** Rules of the catalogue that no file decides, and why. */
const UNDECIDED: readonly (readonly [subject: string, reason: string])[] = [
  ["admission of the API server", "the API server tells it at once, with the field"],
  [
    "unknown plugins, profiles, references and fields; two handlers or pickers in one place",
    "loading refuses them: L1",
  ],
  ["ratio of prefill to decode endpoints", "needs prompt and output lengths of the traffic"],
  ["share of requests above the threshold", "needs the traffic"],
  ["networks, claims, secrets and gateways that are named exist", "needs the cluster"],
  ["gdrcopy, memlock and RDMA devices on the nodes", "needs the nodes"],
  ["a free GPU for a rolling update", "needs the cluster"],
  ["an autoscaler beside replicas", "needs the cluster"],
  ["the model is gated, or larger than its claim", "needs the model's registry and the claim"],
  ["TLS is switched on in KServe 0.18 and newer", "needs the cluster's configuration"],
  ["dashboards and alerts", "needs their files"],
];

/** `docs/checks.md`. */
export function checksPage(): string {
  return `${[
    "# Checks",
    "",
    "`switchyard check FILE…` looks for what fails or does nothing in an `EndpointPickerConfig` or an",
    "`LLMInferenceService`. This page is what `switchyard check --rules` prints.",
    "",
    "An `error` fails on the chosen target or defeats the purpose without a word; a `warning` is likely",
    "wrong; `advice` may be meant; a `note` fails on other targets, which it names, or is a remark of",
    "loading. Errors exit with 1, with `--strict` warnings too. Two files are also compared (group J),",
    "and with `--live` a running router is compared with its file (group R).",
    "",
    "## Targets",
    "",
    ...table(["Target", "Meaning", "Picker", "TLS", "Picker's flags"], TARGETS.map(targetRow)),
    "",
    "The picker releases of Open Data Hub 3.x are inferred from their dates and flags.",
    "",
    ...Object.entries(RULE_GROUPS).flatMap(([group, title]) => [
      `## ${group}: ${title}`,
      "",
      ...table(
        ["Rule", "Severity", "What", "Why", "What to do"],
        ALL_RULES.filter((rule) => rule.group === group)
          .toSorted((one, other) => Number(one.id.slice(1)) - Number(other.id.slice(1)))
          .map(ruleRow),
      ),
      "",
    ]),
    "## Not checked",
    "",
    "These need more than one or two files:",
    "",
    ...table(["What", "Reason"], UNDECIDED),
  ].join("\n")}\n`;
}

function targetRow({ name, title, picker, serving }: Target): readonly string[] {
  return [
    `\`${name}\``,
    title,
    picker === undefined ? "both eras" : `llm-d 0.${picker.minor}, ${picker.flagStyle} flags`,
    serving?.tls ?? "–",
    serving === undefined ? "–" : `in \`${serving.pickerFlagsIn}\``,
  ];
}

function ruleRow({ id, severity, title, why, fix }: RuleFacts): readonly string[] {
  return [id, severity, title, why, fix];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)];
}
