/** Names that `--target` takes. */
export const TARGET_NAMES = [
  "switchyard",
  "odh-2.35",
  "odh-3.0",
  "odh-3.1",
  "odh-3.3",
  "kserve-0.16",
  "kserve-0.17",
  "kserve-0.18",
  "kserve-0.20",
  "llm-d-0.10",
] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

/** What a platform accepts. */
export interface Target {
  readonly name: TargetName;
  readonly title: string;
  /** The endpoint picker; undefined for Switchyard, which takes both eras. */
  readonly picker: PickerPlatform | undefined;
  /** What builds the pods; undefined where the manifest is not rendered by KServe. */
  readonly serving: ServingPlatform | undefined;
}

/** The endpoint picker of a platform. */
export interface PickerPlatform {
  /** llm-d scheduler (router since 0.9) release: 7 is 0.7. */
  readonly minor: number;
  readonly flagStyle: "camelCase" | "kebab-case";
  /** Whether the controller rewrites names and parameters of older releases. */
  readonly isMigrating: boolean;
}

/** What KServe's presets of a platform do with a manifest. */
export interface ServingPlatform {
  /** KServe release that it is like: 18 is 0.18. */
  readonly release: number;
  readonly distribution: "kserve" | "odh";
  /** `optional` is off unless the administrator switches it on. */
  readonly tls: "always" | "off" | "optional";
  readonly certPath: string;
  /** Where the picker's own flags stand: `args` of the user replace them or come after them. */
  readonly pickerFlagsIn: "args" | "command";
  /** What the user's `args` of container `main` do to the engine's command line. */
  readonly engineArgs: "replace-script" | "replace-flags" | "append";
  /** Whether `VLLM_ADDITIONAL_ARGS` and `KSERVE_INFER_ROCE` are read. */
  readonly readsEngineVariables: boolean;
  readonly hasStartupProbe: boolean;
  /** Whether only the first RDMA device reaches `UCX_NET_DEVICES`. */
  readonly exportsFirstDeviceOnly: boolean;
}

const ODH: Omit<ServingPlatform, "certPath"> = {
  release: 16,
  distribution: "odh",
  tls: "always",
  pickerFlagsIn: "args",
  engineArgs: "replace-script",
  readsEngineVariables: true,
  hasStartupProbe: false,
  exportsFirstDeviceOnly: true,
};
const KSERVE: ServingPlatform = {
  release: 18,
  distribution: "kserve",
  tls: "optional",
  certPath: "/var/run/kserve/tls",
  pickerFlagsIn: "command",
  engineArgs: "append",
  readsEngineVariables: true,
  hasStartupProbe: true,
  exportsFirstDeviceOnly: true,
};
const SHARED_CERTS = "/etc/ssl/certs";
const OWN_CERTS = "/var/run/kserve/tls";
const KEBAB = { flagStyle: "kebab-case", isMigrating: false } as const;

/** Every target. The picker releases of ODH 3.x are inferred from their dates and flags. */
export const TARGETS: readonly Target[] = [
  { name: "switchyard", title: "Switchyard itself", picker: undefined, serving: undefined },
  {
    name: "odh-2.35",
    title: "Open Data Hub 2.35 (RHOAI 2.25)",
    picker: { minor: 2, flagStyle: "camelCase", isMigrating: false },
    serving: { ...ODH, certPath: SHARED_CERTS },
  },
  {
    name: "odh-3.0",
    title: "Open Data Hub 3.0",
    picker: { ...KEBAB, minor: 3 },
    serving: { ...ODH, certPath: SHARED_CERTS },
  },
  {
    name: "odh-3.1",
    title: "Open Data Hub 3.1",
    picker: { ...KEBAB, minor: 4 },
    serving: { ...ODH, certPath: OWN_CERTS },
  },
  {
    name: "odh-3.3",
    title: "Open Data Hub 3.3",
    picker: { ...KEBAB, minor: 4 },
    serving: { ...ODH, certPath: OWN_CERTS },
  },
  {
    name: "kserve-0.16",
    title: "KServe 0.16",
    picker: { minor: 2, flagStyle: "camelCase", isMigrating: false },
    serving: {
      ...KSERVE,
      release: 16,
      tls: "off",
      certPath: SHARED_CERTS,
      pickerFlagsIn: "args",
      engineArgs: "replace-flags",
      readsEngineVariables: false,
      hasStartupProbe: false,
    },
  },
  {
    name: "kserve-0.17",
    title: "KServe 0.17",
    picker: { ...KEBAB, minor: 4 },
    serving: {
      ...KSERVE,
      release: 17,
      tls: "off",
      pickerFlagsIn: "args",
      readsEngineVariables: false,
    },
  },
  {
    name: "kserve-0.18",
    title: "KServe 0.18",
    picker: { minor: 7, flagStyle: "kebab-case", isMigrating: true },
    serving: KSERVE,
  },
  {
    name: "kserve-0.20",
    title: "KServe 0.20",
    picker: { minor: 9, flagStyle: "kebab-case", isMigrating: true },
    serving: { ...KSERVE, release: 20, exportsFirstDeviceOnly: false },
  },
  {
    name: "llm-d-0.10",
    title: "the llm-d router 0.10 by itself",
    picker: { ...KEBAB, minor: 10 },
    serving: undefined,
  },
];

/** Finds a target by its name. */
export function findTarget(name: string): Target | undefined {
  return TARGETS.find((target) => target.name === name);
}
