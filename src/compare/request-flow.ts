import type { Service } from "../manifest/service.ts";
import { networkText, splitRuleOf } from "./describe-service.ts";
import { PLUGIN_FACTS } from "./plugin-facts.ts";
import {
  handlerOf,
  isSplit,
  type PluginEntry,
  type ProfileEntry,
  type Side,
  usesOf,
} from "./side.ts";

/** One station of a request, top to bottom. */
export interface FlowStep {
  readonly title: string;
  readonly lines: readonly string[];
  /** What passes from the station above to this one; nothing special when undefined. */
  readonly via?: string;
}

/** A request's way, drawn from the configuration. */
export interface RequestFlow {
  readonly title: string;
  readonly steps: readonly FlowStep[];
}

/** The stations of a request to the service: handler, filters, scorers, picker, endpoints. */
export function requestFlow({ label, service }: Side): RequestFlow {
  const steps = isSplit(service) ? splitSteps(service) : singleSteps(service);
  const kind = isSplit(service) ? "prefill/decode split" : "single pool";
  return { title: `${label}: ${kind}`, steps };
}

/** A flow as boxes of text under one another. */
export function flowText({ title, steps }: RequestFlow): string {
  const width = Math.max(...steps.flatMap(({ title, lines }) => [title, ...lines]).map(lengthOf));
  const boxes = steps.map(({ title: heading, lines, via }, index) => {
    const rule = "─".repeat(width + 2);
    const body = [heading, ...lines.map((line) => `  ${line}`)].map(
      (line) => `│ ${line.padEnd(width)} │`,
    );
    const arrow = index === 0 ? [] : [...(via === undefined ? [] : [`    │ ${via}`]), "    ▼"];
    return [...arrow, `┌${rule}┐`, ...body, `└${rule}┘`].join("\n");
  });
  return [title, "", ...boxes].join("\n");
}

const REQUEST: FlowStep = { title: "Request", lines: ["model and prompt, at the router"] };

function singleSteps(service: Service): readonly FlowStep[] {
  const { main, config } = service;
  return [
    REQUEST,
    handlerStep(service),
    ...config.profiles.flatMap((profile) => profileSteps(service, profile)),
    {
      title: `Endpoint: 1 of ${main.replicas}`,
      lines: ["computes the prompt and generates the answer"],
    },
    { title: "Response", lines: ["streamed through the router"] },
  ];
}

function splitSteps(service: Service): readonly FlowStep[] {
  const { main, prefill, config } = service;
  // The decode profile runs first, wherever the file has it.
  const profiles = config.profiles.toSorted(
    (one, other) => Number(other.name === "decode") - Number(one.name === "decode"),
  );
  return [
    REQUEST,
    handlerStep(service),
    ...profiles.flatMap((profile) => profileSteps(service, profile)),
    ...headerSteps(service),
    {
      title: `Decode endpoint: 1 of ${main.replicas}`,
      lines: ["its sidecar holds the request and asks for the prompt first"],
      via: "request, with the prefill endpoint's address",
    },
    {
      title: `Prefill endpoint: 1 of ${prefill?.replicas ?? 0}`,
      lines: ["computes the prompt, one token, and keeps the KV cache"],
      via: `prompt, split ${splitRuleOf(service)}`,
    },
    {
      title: "Decode endpoint",
      lines: ["fetches the KV cache, then generates the answer"],
      via: transferText(service),
    },
    { title: "Response", lines: ["streamed through sidecar and router"] },
  ];
}

function handlerStep(service: Service): FlowStep {
  const handler = handlerOf(service);
  return handler === undefined
    ? { title: "Handler: none", lines: [] }
    : { title: `Handler: ${handler.name}`, lines: briefOf(handler) };
}

/** Filters, scorers and picker of one profile, a station each. */
function profileSteps(service: Service, profile: ProfileEntry): readonly FlowStep[] {
  const line = (entry: PluginEntry, weight?: number): string => {
    const name = weight === undefined ? entry.name : `${entry.name} × ${weight}`;
    return [name, ...briefOf(entry)].join(": ");
  };
  const filters = usesOf(service, profile, "filter").map(({ entry }) => line(entry));
  const scorers = usesOf(service, profile, "score").map(({ entry, weight }) => line(entry, weight));
  const pickers = usesOf(service, profile, "pick").map(({ entry }) => line(entry));
  return [
    { title: `Filters (profile ${profile.name})`, lines: filters },
    { title: `Scorers (profile ${profile.name})`, lines: scorers },
    { title: `Picker (profile ${profile.name})`, lines: pickers },
  ].filter(({ lines }) => lines.length > 0);
}

/** Instances that write into the plan's headers beside the profiles. */
function headerSteps({ config }: Service): readonly FlowStep[] {
  return config.plugins
    .filter(({ definition: { type } }) => HEADER_HANDLERS.has(type))
    .map((entry) => ({ title: `Header: ${entry.name}`, lines: briefOf(entry) }));
}

const HEADER_HANDLERS: ReadonlySet<string> = new Set([
  "prefill-header-handler",
  "disagg-headers-handler",
]);

function transferText(service: Service): string {
  const { engineArguments } = service.main;
  if (engineArguments.kvTransfer === undefined)
    return "no KV connector: the prompt is computed again";
  const network = networkText(service);
  return network.slice(network.indexOf("; ") + 2);
}

function briefOf({ definition }: PluginEntry): readonly string[] {
  const brief = PLUGIN_FACTS.get(definition.type)?.brief;
  return brief === undefined ? [] : [brief];
}

function lengthOf(text: string): number {
  return text.length + 2;
}
