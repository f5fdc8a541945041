import { mainContainer } from "../manifest/container.ts";
import { forManifest } from "./for-manifest.ts";
import { onTargets, pickerFails, servingFails } from "./on-targets.ts";
import { findFlag, kebabName, type PickerFlag } from "./picker-flags.ts";
import type { Finding, Rule } from "./rule.ts";
import type { Manifest, Subject } from "./subject.ts";

/** Flags that KServe's presets give to the picker themselves since 0.18. */
const PRESET_FLAGS: ReadonlySet<string> = new Set([
  "pool-name",
  "pool-namespace",
  "pool-group",
  "zap-encoder",
  "grpc-port",
  "grpc-health-port",
  "secure-serving",
  "cert-path",
]);
const METRICS_FLAGS: ReadonlySet<string> = new Set([
  "model-server-metrics-scheme",
  "model-server-metrics-path",
  "model-server-metrics-port",
  "model-server-metrics-https-insecure-skip-verify",
]);

/** Rules about the picker's command line and its image. */
export const PICKER_FLAG_RULES: readonly Rule<Subject>[] = [
  {
    id: "B1",
    severity: "error",
    group: "B",
    title: "picker flags in another era's spelling",
    why:
      "The picker stops at the first flag it does not know, and its pod restarts for " +
      "ever: llm-d 0.2 takes camelCase, 0.3 and later kebab-case only.",
    fix:
      "Write --pool-name for --poolName and so on; since KServe 0.17 put the " +
      "configuration into router.scheduler.config.inline and drop the flags that the " +
      "preset gives.",
    check: forManifest(({ flags }, { target }) => [
      ...spelling(flags, "camelCase", target),
      ...spelling(flags, "kebab-case", target),
    ]),
  },
  {
    id: "B4",
    severity: "error",
    group: "B",
    title: "picker image and preset of different releases",
    why:
      "The controller rewrites the configuration for the release that the version " +
      "annotation names, with types that an older image does not have.",
    fix:
      "Leave the image to the preset, or set the scheduler annotation " +
      "app.kubernetes.io/version to the image's release.",
    check: forManifest(imageFindings),
  },
  {
    id: "B5",
    severity: "warning",
    group: "B",
    title: "picker flags that the preset gives as well",
    why:
      "Where the preset has its flags in command, args come after them: the last value " +
      "wins, and a preset that changes is overridden for ever. A certificate path that is " +
      "not mounted stops the picker.",
    fix: "Drop the flags that the preset gives; keep -v and what is really different.",
    check: forManifest(({ flags }, { target }) => [
      ...duplicates(flags, target),
      ...certificatePath(flags, target),
    ]),
  },
  {
    id: "B10",
    severity: "error",
    group: "B",
    title: "metrics flags that became a plugin",
    why:
      "Since release 0.10 the scheme and path of scraping are parameters of " +
      "metrics-data-source; KServe refuses to move them when the configuration is not " +
      "inline.",
    fix:
      "List metrics-data-source with scheme, path and insecureSkipVerify in plugins, and " +
      "drop the flags.",
    check: forManifest(({ flags }, { target }) => {
      const given = flags.filter(({ name }) => METRICS_FLAGS.has(kebabName(name)));
      const [first] = given;
      if (first === undefined) return [];
      return onTargets(target, {
        message: `the picker takes no ${listed(given)}`,
        position: first.node.position,
        fails: pickerFails(({ minor }) => minor >= 10),
      });
    }),
  },
];

function spelling(
  flags: readonly PickerFlag[],
  style: "camelCase" | "kebab-case",
  target: Subject["target"],
): readonly Finding[] {
  const pattern = style === "camelCase" ? /[a-z][A-Z]/ : /^(?!zap-)[a-z]+-/;
  const written = flags.filter(({ name }) => pattern.test(name));
  const [first] = written;
  if (first === undefined) return [];
  return onTargets(target, {
    message: `the picker does not know ${style} flags: ${listed(written)}`,
    position: first.node.position,
    fails: pickerFails(({ flagStyle }) => flagStyle !== style),
  });
}

function listed(flags: readonly PickerFlag[]): string {
  return flags.map(({ name }) => `--${name}`).join(", ");
}

const PICKER_IMAGE = /(?:inference-scheduler|router-endpoint-picker)[^/]*:v?0\.(\d+)/;

function imageFindings({ root }: Manifest, { target }: Subject): readonly Finding[] {
  const scheduler = root.at("spec", "router", "scheduler");
  const image = mainContainer(scheduler?.at("template"), [])?.at("image");
  const imageMinor = PICKER_IMAGE.exec(String(image?.value))?.[1];
  if (image === undefined || imageMinor === undefined) return [];
  const { position } = image;
  const annotation = scheduler?.at("annotations", "app.kubernetes.io/version")?.value;
  const annotated = /^v?0\.(\d+)/.exec(String(annotation))?.[1];
  if (annotated === undefined) {
    return onTargets(target, {
      message: `the preset is for a newer picker than the image's 0.${imageMinor}`,
      position,
      fails: ({ picker, serving }) =>
        serving !== undefined && picker?.isMigrating === true && picker.minor > Number(imageMinor),
    });
  }
  if (annotated === imageMinor) return [];
  const message = `the image is 0.${imageMinor}, app.kubernetes.io/version says 0.${annotated}`;
  const isOlder = Number(imageMinor) < Number(annotated);
  return [{ message, position, severity: isOlder ? "error" : "warning" }];
}

function duplicates(flags: readonly PickerFlag[], target: Subject["target"]): readonly Finding[] {
  const given = flags.filter(({ name }) => PRESET_FLAGS.has(kebabName(name)));
  const [first] = given;
  if (first === undefined) return [];
  return onTargets(target, {
    message: `the preset's command gives these flags already: ${listed(given)}`,
    position: first.node.position,
    fails: servingFails(({ pickerFlagsIn }) => pickerFlagsIn === "command"),
  });
}

function certificatePath(
  flags: readonly PickerFlag[],
  target: Subject["target"],
): readonly Finding[] {
  const flag = findFlag(flags, "cert-path");
  if (flag?.value === undefined) return [];
  return onTargets(target, {
    message: `no certificate is mounted at ${flag.value}`,
    position: flag.node.position,
    severity: "error",
    fails: servingFails(({ certPath }) => certPath !== flag.value),
  });
}
