import type { SourceNode } from "../config/source-node.ts";
import { forManifest, forPools } from "./for-manifest.ts";
import { onTargets, servingFails } from "./on-targets.ts";
import type { Finding, Rule } from "./rule.ts";
import {
  ARGUMENTS_VARIABLE,
  containerPosition,
  envPosition,
  type Manifest,
  type PoolView,
  poolsOf,
  type Subject,
} from "./subject.ts";

/** Rules about what a platform's presets make of the manifest. */
export const SERVING_RULES: readonly Rule<Subject>[] = [
  {
    id: "B6",
    severity: "error",
    group: "B",
    title: "command or args that replace the engine's start",
    why:
      "Lists are replaced whole when presets are merged: the model's path, port, served " +
      "name, TLS and RoCE settings of the preset are gone.",
    fix:
      "Put extra vLLM arguments into the variable VLLM_ADDITIONAL_ARGS; leave command to " +
      "the preset.",
    check: forPools((view, { target }) => [
      ...onTargets(target, {
        message: "args replace what the preset starts the engine with",
        position: containerPosition(view, "args"),
        fails: servingFails(
          ({ engineArgs }) => engineArgs !== "append" && view.container?.at("args") !== undefined,
        ),
      }),
      ...onTargets(target, {
        message: "command replaces the preset's start of the engine",
        position: containerPosition(view, "command"),
        fails: servingFails(() => view.container?.at("command") !== undefined),
      }),
    ]),
  },
  {
    id: "B7",
    severity: "error",
    group: "B",
    title: "engine variables that the platform does not read",
    why:
      "KServe 0.16 and 0.17 start vLLM without them: a KV connector given there does not " +
      "exist, and every prompt is computed twice.",
    fix:
      "Give the arguments in args of container main on those releases, or move to KServe " +
      "0.18 or newer.",
    check: forPools((view, { target }) =>
      [ARGUMENTS_VARIABLE, "KSERVE_INFER_ROCE"]
        .filter((name) => view.pool.env.some((variable) => variable.name === name))
        .flatMap((name) =>
          onTargets(target, {
            message: `${name} is not read`,
            position: envPosition(view, name),
            fails: servingFails(({ readsEngineVariables }) => !readsEngineVariables),
          }),
        ),
    ),
  },
  {
    id: "B11",
    severity: "warning",
    group: "B",
    title: "criticality",
    why:
      "It made an InferenceModel of the first releases; since KServe 0.17 it has no " +
      "effect, and v1alpha2 has no such field.",
    fix: "Drop it; priorities are InferenceObjectives today.",
    check: forManifest(({ root }, { target }) => {
      const node = root.at("spec", "model", "criticality");
      if (node === undefined) return [];
      return onTargets(target, {
        message: "model.criticality has no effect",
        position: node.position,
        fails: ({ name, serving }) =>
          name === "switchyard" || (serving !== undefined && serving.release >= 17),
      });
    }),
  },
  {
    id: "B12",
    severity: "error",
    group: "B",
    title: "text that KServe takes for a template",
    why:
      "The merged object is rendered as one JSON text with Go templates: an unknown {{ … " +
      "}} anywhere makes rendering fail.",
    fix: 'Write {{ "{{" }} for literal braces, or keep such text in a ConfigMap.',
    check: forManifest(({ root }, { target }) =>
      templates(root).flatMap((node) =>
        onTargets(target, {
          message: "{{ begins a template that KServe cannot render",
          position: node.position,
          fails: servingFails(() => true),
        }),
      ),
    ),
  },
  {
    id: "B13",
    severity: "advice",
    group: "B",
    title: "no scheduler configuration of its own",
    why:
      "KServe takes the configuration of the picker that runs already, which may be an " +
      "older release's default, so equal manifests route differently.",
    fix: "Write the configuration into router.scheduler.config.inline.",
    check: forManifest(({ root, service }) =>
      service.picker.origin === "default" && root.at("spec", "router", "scheduler") !== undefined
        ? [
            {
              message: "the scheduler has no configuration: the platform's default is used",
              position: root.positionOf(["spec", "router", "scheduler"]),
            },
          ]
        : [],
    ),
  },
  {
    id: "B14",
    severity: "error",
    group: "B",
    title: "pipeline parallelism over several nodes",
    why: "KServe names presets for it and ships none: the service stays at ConfigNotFound.",
    fix: "Use data or tensor parallelism with worker, or add the preset to the namespace.",
    check: forPools(({ node }, { target }) =>
      node.at("worker") === undefined || node.at("parallelism", "pipeline") === undefined
        ? []
        : onTargets(target, {
            message: "there is no preset for pipeline parallelism with worker",
            position: node.positionOf(["parallelism", "pipeline"]),
            fails: servingFails(() => true),
          }),
    ),
  },
  {
    id: "G1",
    severity: "warning",
    group: "G",
    title: "one volume claim for several endpoints",
    why:
      "A ReadWriteOnce claim attaches to one node: endpoints on other nodes wait for it " +
      "for ever.",
    fix: "Use a ReadWriteMany claim, an OCI image, or a claim for each endpoint.",
    check: forManifest(sharedClaims),
  },
  {
    id: "G6",
    severity: "advice",
    group: "G",
    title: "model downloaded at every start",
    why:
      "Without a volume the download goes to an emptyDir: each restart and each new " +
      "endpoint fetches the model again.",
    fix: "Back the volume kserve-provision-location by a claim, or use pvc:// or oci://.",
    check: forManifest(({ service, root, ...views }) => {
      if (!/^(?:hf|s3|https?):/.test(service.modelUri)) return [];
      const isKept = poolsOf({ service, root, ...views }).every(({ pool }) =>
        pool.volumes.some(({ name }) => name === "kserve-provision-location"),
      );
      if (isKept) return [];
      return [
        {
          message: `${service.modelUri} is downloaded at every start`,
          position: root.positionOf(["spec", "model", "uri"]),
        },
      ];
    }),
  },
  {
    id: "H1",
    severity: "warning",
    group: "H",
    title: "no namespace",
    why:
      "The service lands wherever the shell's context points; secondary networks, claims " +
      "and secrets are looked up there.",
    fix: "Write metadata.namespace.",
    check: forManifest(({ root }) =>
      root.at("metadata", "namespace") === undefined
        ? [
            {
              message:
                "metadata.namespace is missing: default is taken here, the context elsewhere",
              position: root.positionOf(["metadata", "name"]),
            },
          ]
        : [],
    ),
  },
  {
    id: "H12",
    severity: "warning",
    group: "H",
    title: "authentication undecided",
    why:
      "ODH 3.0 and newer demand a token unless told otherwise, and delete the route if " +
      "the AuthPolicy CRD is missing.",
    fix: 'Set the annotation security.opendatahub.io/enable-auth to "true" or "false".',
    check: forManifest(({ service, root }, { target }) =>
      service.annotations["security.opendatahub.io/enable-auth"] !== undefined
        ? []
        : onTargets(target, {
            message: "security.opendatahub.io/enable-auth is not set",
            position: root.positionOf(["metadata"]),
            fails: ({ name }) => name.startsWith("odh-3"),
          }),
    ),
  },
  {
    id: "H13",
    severity: "error",
    group: "H",
    title: "field that the platform does not have",
    why: "The API server refuses the manifest, or drops the field without a word.",
    fix:
      "Move to the release that has it, or say it another way: the scheduler's " +
      "configuration fits into --config-text.",
    check: forManifest(({ root }, { target }) =>
      FIELDS.flatMap(({ path, since }) => {
        const node = root.at(...path);
        if (node === undefined || path.length === 0) return [];
        return onTargets(target, {
          message: `${path.join(".")} came with KServe 0.${since}`,
          position: node.position,
          fails: servingFails(({ release }) => release < since),
        });
      }),
    ),
  },
];

/** Fields by the release that brought them; 0.16 has all others. */
const FIELDS: readonly { readonly path: readonly string[]; readonly since: number }[] = [
  { path: ["spec", "router", "scheduler", "config"], since: 17 },
  { path: ["spec", "router", "scheduler", "replicas"], since: 17 },
  { path: ["spec", "labels"], since: 17 },
  { path: ["spec", "annotations"], since: 17 },
  { path: ["spec", "scaling"], since: 17 },
  { path: ["spec", "prefill", "scaling"], since: 17 },
  { path: ["spec", "storageInitializer"], since: 17 },
  { path: ["spec", "model", "lora", "maxRank"], since: 19 },
  { path: ["spec", "router", "route", "group"], since: 20 },
  { path: ["spec", "tracing"], since: 20 },
  { path: ["spec", "kvCacheOffloading"], since: 20 },
  { path: ["spec", "model", "confidential"], since: 20 },
  { path: ["spec", "rolloutStrategy"], since: 21 },
  { path: ["spec", "router", "scheduler", "tokenizer"], since: 21 },
];

/** What a template of KServe may begin with. */
const KNOWN_TEMPLATE =
  /^\{\{-?\s*(?:["`]|\.(?:ObjectMeta|TypeMeta|Spec|GlobalConfig)\b|(?:if|else|end|range|with)\b)/;
/** KServe's own functions. */
const KNOWN_FUNCTION = /^\{\{-?\s*(?:ChildName|shutdownTimeout|kvTransferConfig)\b/;

function templates(node: SourceNode): readonly SourceNode[] {
  const { value } = node;
  if (typeof value === "string") {
    const found = value.match(/\{\{-?[^}]*/g) ?? [];
    const isKnown = (template: string): boolean =>
      KNOWN_TEMPLATE.test(template) || KNOWN_FUNCTION.test(template);
    return found.every(isKnown) ? [] : [node];
  }
  if (typeof value !== "object" || value === null) return [];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => {
    const inner = node.at(key);
    return inner === undefined ? [] : templates(inner);
  });
}

function sharedClaims(manifest: Manifest): readonly Finding[] {
  const users = poolsOf(manifest).flatMap((view) =>
    view.pool.volumes.flatMap(({ claimName }, index) =>
      claimName === undefined ? [] : [{ view, claimName, index }],
    ),
  );
  const claims = [...new Set(users.map(({ claimName }) => claimName))];
  return claims.flatMap((claimName) => {
    const mounts = users.filter((user) => user.claimName === claimName);
    const endpoints = mounts.reduce((sum, { view }) => sum + view.pool.replicas, 0);
    const [first] = mounts;
    if (first === undefined || endpoints < 2) return [];
    const position = volumePosition(first.view, first.index);
    const message = `${endpoints} endpoints mount the claim ${claimName}; it must be ReadWriteMany`;
    return [{ message, position }];
  });
}

function volumePosition({ node }: PoolView, index: number): Finding["position"] {
  return node.positionOf(["template", "volumes", index]);
}
