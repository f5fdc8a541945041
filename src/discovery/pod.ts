import { isIP } from "node:net";
import { z } from "zod";
import { endpointId } from "../core/brand.ts";
import type { Labels } from "../endpoints/endpoint-table.ts";
import type { DiscoveredEndpoint } from "./endpoint-set.ts";
import { OBJECT_NAME } from "./kube-object.ts";
import { socketAddress } from "./resolve-hosts.ts";

/** A pod as far as it matters: whether it may serve, where, and by which labels. */
export interface Pod {
  readonly name: string;
  readonly uid: string;
  /** Ready, not about to go, and with an address. */
  readonly isEligible: boolean;
  /** Has an address, ready or not; the address of a pod whose containers have ended may be another's. */
  readonly isAddressed: boolean;
  readonly ip: string;
  readonly labels: Labels;
  /** Ports that the pod declares to be in use; undefined for all. */
  readonly activePorts: ReadonlySet<number> | undefined;
}

/** Which pods are endpoints. */
export type PodsTaken = "eligible" | "addressed";

/** Annotations that restrict a pod to some of its pool's ports, today's first (llm-d, GAIE). */
const ACTIVE_PORTS = ["llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports"];

/** Labels of a pod that are kept; filters look at a few. */
const LABELS_MAX = 64;

// Kubernetes: prefix/name of a key, and the form of a value.
const LABEL_KEY =
  /^(?=.{1,317}$)([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

const schema = z.object({
  metadata: z.object({
    name: z.string().regex(OBJECT_NAME),
    uid: z.string().max(128).default(""),
    deletionTimestamp: z.string().optional(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
    })
    .optional(),
});

/** Reads a pod; undefined for what is none. */
export function readPod(content: unknown): Pod | undefined {
  const parsed = schema.safeParse(content);
  if (!parsed.success) return undefined;
  const { metadata, status } = parsed.data;
  const ip = status?.podIP ?? "";
  const isReady = (status?.conditions ?? []).some(
    (condition) => condition.type === "Ready" && condition.status === "True",
  );
  const hasEnded = status?.phase === "Succeeded" || status?.phase === "Failed";
  const isAddressed = isIP(ip) !== 0 && !hasEnded;
  return {
    name: metadata.name,
    uid: metadata.uid,
    isEligible: isReady && metadata.deletionTimestamp === undefined && isAddressed,
    isAddressed,
    ip,
    labels: checkedLabels(metadata.labels ?? {}),
    activePorts: activePorts(metadata.annotations ?? {}),
  };
}

/**
 * The endpoints of a pod, one for each of the ports. With several ports they are named by rank, which is
 * the port's place in the pool and not among the pod's active ones (llm-d).
 */
export function endpointsOf(
  pod: Pod,
  ports: readonly number[],
  takes: PodsTaken = "eligible",
): readonly DiscoveredEndpoint[] {
  if (takes === "eligible" ? !pod.isEligible : !pod.isAddressed) return [];
  return ports.flatMap((port, rank) => {
    if (pod.activePorts?.has(port) === false) return [];
    return [
      {
        id: endpointId(ports.length > 1 ? `${pod.name}-rank-${rank}` : pod.name),
        address: socketAddress(pod.ip, port),
        labels: pod.labels,
        incarnation: pod.uid,
      },
    ];
  });
}

/** Whether a label may stand where it was found. */
export function isLabel(key: string, value: string): boolean {
  return LABEL_KEY.test(key) && LABEL_VALUE.test(value);
}

/** An API server lets no other labels in; what is not one goes no further. */
function checkedLabels(labels: Labels): Labels {
  const checked = Object.entries(labels).filter(([key, value]) => isLabel(key, value));
  return Object.fromEntries(checked.slice(0, LABELS_MAX));
}

/** What is no port counts for nothing (llm-d). */
function activePorts(annotations: Readonly<Record<string, string>>) {
  const key = ACTIVE_PORTS.find((name) => annotations[name] !== undefined);
  const text = key === undefined ? undefined : annotations[key];
  if (text === undefined) return undefined;
  const ports = text.split(",").map((port) => port.trim());
  return new Set(ports.filter((port) => /^\d{1,5}$/.test(port)).map(Number));
}
