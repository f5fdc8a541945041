import type { SourceNode } from "../config/source-node.ts";
import type { KvTransferConfig, PoolRole } from "../manifest/service.ts";
import { forManifest, forPools, forSplit } from "./for-manifest.ts";
import { onTargets, servingFails } from "./on-targets.ts";
import type { Finding, Rule } from "./rule.ts";
import {
  ARGUMENTS_VARIABLE,
  envPosition,
  envValue,
  flagPosition,
  type PoolView,
  type Subject,
} from "./subject.ts";

const KV_FLAG = "kv-transfer-config";
const NIXL = "NixlConnector";
const SIDE_CHANNEL_HOST = "VLLM_NIXL_SIDE_CHANNEL_HOST";
const SIDE_CHANNEL_PORT = "VLLM_NIXL_SIDE_CHANNEL_PORT";
const ABORT_TIMEOUT = "VLLM_NIXL_ABORT_REQUEST_TIMEOUT";
/** Blocks that nobody fetched within an hour are lost memory. */
const ABORT_TIMEOUT_SECONDS_MAX = 3600;

/** Rules about how the KV cache gets from prefill to decode. */
export const KV_TRANSFER_RULES: readonly Rule<Subject>[] = [
  {
    id: "D1",
    severity: "error",
    group: "D",
    title: "prefill pool without KV connector",
    why:
      "Everything becomes ready and nothing is transferred: the prompt is computed on the " +
      "prefill endpoint and again on the decode endpoint.",
    fix: `Give both pools --${KV_FLAG} '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'.`,
    check: forSplit(({ decode, prefill }) =>
      [decode, prefill].some((view) => transferOf(view) !== undefined)
        ? []
        : [{ message: `neither pool has --${KV_FLAG}`, position: prefill.node.position }],
    ),
  },
  {
    id: "D2",
    severity: "error",
    group: "D",
    title: "connectors that do not fit together",
    why:
      "A connector needs the same one on the other side; alone it waits for a peer, and " +
      "the prompt is computed twice.",
    fix: "Give both pools the same connector.",
    check: forSplit(({ decode, prefill }) => {
      const [ours, theirs] = [transferOf(decode), transferOf(prefill)];
      if (ours?.connector === theirs?.connector) return [];
      const view = ours === undefined ? decode : prefill;
      const message =
        `decode has ${ours?.connector ?? "no connector"}, prefill has ` +
        `${theirs?.connector ?? "none"}`;
      return [{ message, position: flagPosition(view, KV_FLAG) }];
    }),
  },
  {
    id: "D3",
    severity: "error",
    group: "D",
    title: "KV roles the wrong way round",
    why:
      "Prefill produces and decode consumes: with other roles the connector refuses the " +
      "transfer or never starts one.",
    fix: "Use kv_both on both sides, or kv_producer on prefill and kv_consumer on decode.",
    check: forSplit(({ decode, prefill }) => [
      ...roleFinding(decode, "kv_producer"),
      ...roleFinding(prefill, "kv_consumer"),
    ]),
  },
  {
    id: "D4",
    severity: "error",
    group: "D",
    title: "sidecar and engine speak of different connectors",
    why:
      "The sidecar rewrites requests for one protocol: nixlv2 is NixlConnector's, and " +
      "another connector ignores what it adds.",
    fix: "Set the sidecar's --kv-connector to the engine's connector, or use NixlConnector.",
    check: forSplit(sidecarFindings),
  },
  {
    id: "D5",
    severity: "warning",
    group: "D",
    title: "KV connector without a peer",
    why:
      "One pool has nobody to transfer to: the connector costs memory and start time, and " +
      "changes how blocks are freed.",
    fix: `Drop --${KV_FLAG}, or add spec.prefill.`,
    check: forManifest(({ main, prefill }) =>
      prefill === undefined && transferOf(main)?.connector === NIXL
        ? [
            {
              message: `${NIXL} and no prefill pool`,
              position: flagPosition(main, KV_FLAG),
            },
          ]
        : [],
    ),
  },
  {
    id: "D11",
    severity: "error",
    group: "D",
    title: "NIXL side channel that the other side cannot reach",
    why:
      "The address is told to the other engine for the handshake; localhost, the default, " +
      "is the other engine itself.",
    fix: `Set ${SIDE_CHANNEL_HOST} from the field status.podIP.`,
    check: forPools((view, _subject, { prefill }) =>
      prefill === undefined || transferOf(view)?.connector !== NIXL ? [] : sideChannel(view),
    ),
  },
  {
    id: "D12",
    severity: "error",
    group: "D",
    title: "side channel ports that clash",
    why:
      "With hostNetwork two engines of a host share its ports: the second one cannot " +
      "listen, and handshakes reach the wrong engine.",
    fix:
      `Give each pool its own ${SIDE_CHANNEL_PORT}, spaced by the number of ` +
      "data-parallel ranks.",
    check: forSplit(({ decode, prefill }) => {
      const isShared = [decode, prefill].every(
        ({ node }) => node.at("template", "hostNetwork")?.value === true,
      );
      const distance = Math.abs(sidePort(decode) - sidePort(prefill));
      const ranks = Math.max(decode.pool.parallelism.data, prefill.pool.parallelism.data);
      if (!isShared || distance >= ranks) return [];
      const message =
        `decode uses side channel port ${sidePort(decode)}, prefill ` +
        `${sidePort(prefill)}, ${ranks} ranks each, on one host network`;
      return [{ message, position: envPosition(prefill, SIDE_CHANNEL_PORT) }];
    }),
  },
  {
    id: "D13",
    severity: "error",
    group: "D",
    title: "KV connector given twice",
    why:
      "The last one wins without a word, and both spellings (dashes, underscores) are one " +
      "flag to vLLM.",
    fix: `Keep one --${KV_FLAG}.`,
    check: forPools((view) => {
      const args = view.container?.at("args")?.value;
      const words = [
        envValue(view, ARGUMENTS_VARIABLE) ?? "",
        ...(Array.isArray(args) ? args : []),
      ];
      const count = words.join(" ").match(/--kv[-_]transfer[-_]config\b/g)?.length ?? 0;
      if (count < 2) return [];
      const message = `--${KV_FLAG} is given ${count} times`;
      return [{ message, position: flagPosition(view, KV_FLAG) }];
    }),
  },
  {
    id: "D14",
    severity: "error",
    group: "D",
    title: "KV offloading beside a connector of one's own",
    why:
      "The preset skips its OffloadingConnector when --kv-transfer-config is given: the " +
      "offloading that was asked for does not happen.",
    fix: "Combine both in a MultiConnector, or keep one.",
    check: forPools((view) => {
      const offloading = view.node.at("kvCacheOffloading");
      if (offloading === undefined || transferOf(view) === undefined) return [];
      const message = `kvCacheOffloading has no effect beside --${KV_FLAG}`;
      return [{ message, position: offloading.position }];
    }),
  },
  {
    id: "D15",
    severity: "advice",
    group: "D",
    title: "what a failed transfer does",
    why:
      "fail, the default, makes a lost block a 500 to the client; recompute answers and " +
      "hides that transfers fail.",
    fix:
      "Choose kv_load_failure_policy by what clients stand, and watch failed transfers " +
      "with recompute.",
    check: forSplit(({ decode }) =>
      transferOf(decode)?.loadFailurePolicy !== "fail"
        ? []
        : [
            {
              message:
                "kv_load_failure_policy is fail: a transfer that fails is the client's error",
              position: flagPosition(decode, KV_FLAG),
            },
          ],
    ),
  },
  {
    id: "D16",
    severity: "warning",
    group: "D",
    title: "blocks that wait too long for their reader",
    why:
      "A prefill endpoint keeps the blocks of a request that decode never fetched until " +
      "this time is over.",
    fix: `Keep ${ABORT_TIMEOUT} at minutes (480 s is the default).`,
    check: forPools((view) => {
      const seconds = Number(envValue(view, ABORT_TIMEOUT));
      if (!(seconds > ABORT_TIMEOUT_SECONDS_MAX)) return [];
      const message = `${ABORT_TIMEOUT} is ${seconds} s`;
      return [{ message, position: envPosition(view, ABORT_TIMEOUT) }];
    }),
  },
  {
    id: "D18",
    severity: "warning",
    group: "D",
    title: "prefill apart for a small model",
    why:
      "Prefill of a small model takes milliseconds, less than choosing a second endpoint " +
      "and moving the blocks.",
    fix: "Use one pool with as many endpoints, and compare the two with your traffic.",
    check: forSplit(({ prefill }, { facts }, { service }) => {
      const model = facts.model(service.modelName) ?? facts.model(service.modelUri);
      if (model === undefined || model.weightBytes >= SMALL_MODEL_BYTES) return [];
      const message =
        `${model.name} has ${gigabytes(model.weightBytes)} GB of weights: moving its ` +
        "KV cache costs more than computing it";
      return [{ message, position: prefill.node.position }];
    }),
  },
  {
    id: "D19",
    severity: "warning",
    group: "D",
    title: "prefill pool without endpoints",
    why:
      "The prefill profile finds nobody, and each request is served by decode alone " +
      "without a word.",
    fix: "Set prefill.replicas to at least 1, or drop spec.prefill.",
    check: forSplit(({ prefill }) =>
      prefill.pool.replicas > 0
        ? []
        : [
            {
              message: "prefill.replicas is 0",
              position: prefill.node.positionOf(["replicas"]),
            },
          ],
    ),
  },
  {
    id: "D20",
    severity: "warning",
    group: "D",
    title: "adapters that the prefill pool does not know by their published name",
    why:
      "Since KServe 0.19 decode serves publishers/… names as well, prefill the plain ones " +
      "only: such a request fails at prefill.",
    fix: "Let clients use the plain adapter names.",
    check: forSplit((_split, { target }, { root }) => {
      const adapters = root.at("spec", "model", "lora", "adapters");
      return adapters === undefined
        ? []
        : onTargets(target, {
            message: "the prefill pool serves adapters by their plain names only",
            position: adapters.position,
            fails: servingFails(({ release }) => release >= 19),
          });
    }),
  },
  {
    id: "D21",
    severity: "advice",
    group: "D",
    title: "both roles behind a pool that fails open",
    why:
      "While the picker is away, the gateway sends requests to any endpoint of the pool, " +
      "prefill endpoints included.",
    fix: "Set failureMode FailClose in router.scheduler.pool.spec if errors are better than that.",
    check: forSplit((_split, { target }, { root }) => {
      const spec = root.at("spec", "router", "scheduler", "pool", "spec");
      const mode =
        spec?.at("endpointPickerRef", "failureMode") ?? spec?.at("extensionRef", "failureMode");
      return mode?.value === "FailClose"
        ? []
        : onTargets(target, {
            message: "failureMode is FailOpen: without the picker prefill endpoints get requests",
            position: mode?.position ?? root.positionOf(["spec", "router", "scheduler"]),
            fails: servingFails(() => true),
          });
    }),
  },
];

/** Below this a prompt is computed faster than its blocks can be arranged for. */
const SMALL_MODEL_BYTES = 4e9;

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function transferOf({ pool }: PoolView): KvTransferConfig | undefined {
  return pool.engineArguments.kvTransfer;
}

function roleFinding(view: PoolView, wrong: KvTransferConfig["role"]): readonly Finding[] {
  if (transferOf(view)?.role !== wrong) return [];
  const role: PoolRole = view.pool.role;
  const message = `kv_role ${wrong} on the ${role} pool`;
  return [{ message, position: flagPosition(view, KV_FLAG) }];
}

/** Connector names of the sidecar, by vLLM's. */
const SIDECAR_CONNECTORS: ReadonlyMap<string, string> = new Map([
  [NIXL, "nixlv2"],
  ["LMCacheConnectorV1", "lmcache"],
]);

function sidecarFindings({ decode }: { readonly decode: PoolView }): readonly Finding[] {
  const connector = transferOf(decode)?.connector;
  // Several connectors in one may include the sidecar's.
  if (connector === undefined || connector === "MultiConnector") return [];
  const written = sidecarConnector(decode.node.at("template", "initContainers"));
  const spoken = written?.name ?? "nixlv2";
  if (SIDECAR_CONNECTORS.get(connector) === spoken) return [];
  const message =
    `the engine has ${connector}, the sidecar speaks ` +
    `${spoken}${written === undefined ? " (the preset's)" : ""}`;
  return [{ message, position: written?.position ?? flagPosition(decode, KV_FLAG) }];
}

function sidecarConnector(
  containers: SourceNode | undefined,
): { readonly name: string; readonly position: Finding["position"] } | undefined {
  const list: readonly unknown[] = Array.isArray(containers?.value) ? containers.value : [];
  for (const index of list.keys()) {
    const container = containers?.at(index);
    if (container?.at("name")?.value !== "llm-d-routing-sidecar") continue;
    for (const field of ["args", "command"]) {
      const words = container.at(field)?.value;
      for (const [place, word] of (Array.isArray(words) ? words : []).entries()) {
        const name = /^--(?:kv-)?connector=(.+)$/.exec(String(word))?.[1];
        if (name !== undefined) return { name, position: container.positionOf([field, place]) };
      }
    }
  }
  return undefined;
}

function sideChannel(view: PoolView): readonly Finding[] {
  const variable = view.pool.env.findLast(({ name }) => name === SIDE_CHANNEL_HOST);
  const position = envPosition(view, SIDE_CHANNEL_HOST);
  if (variable === undefined) {
    return [{ message: `${SIDE_CHANNEL_HOST} is not set: localhost is used`, position }];
  }
  const isAddress = variable.valueFrom === "status.podIP" || variable.valueFrom === "status.hostIP";
  if (isAddress) return [];
  const given = variable.value ?? variable.valueFrom ?? "nothing";
  return [{ message: `${SIDE_CHANNEL_HOST} is ${given}, not the pod's own address`, position }];
}

/** vLLM's default base port; older releases had 5557. */
const SIDE_CHANNEL_PORT_DEFAULT = 5600;

function sidePort(view: PoolView): number {
  return Number(envValue(view, SIDE_CHANNEL_PORT) ?? SIDE_CHANNEL_PORT_DEFAULT);
}
