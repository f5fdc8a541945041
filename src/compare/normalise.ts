import { ConfigError } from "../core/config-error.ts";
import type { Service } from "../manifest/service.ts";
import { gpusOf, type Pair, poolsOf, type Side, totalGpus } from "./side.ts";

/** Two services on equal terms, and what was changed for it. */
export interface Normalised {
  readonly pair: Pair;
  /** One sentence for each change; empty when the services were on equal terms. */
  readonly changes: readonly string[];
}

/**
 * Brings both to the first one's model and to the larger of the two numbers of GPUs; pools keep their
 * proportion as far as whole endpoints allow. Throws ConfigError when no numbers of endpoints do.
 */
export function normalise({ left, right }: Pair): Normalised {
  const changes: string[] = [];
  const gpus = Math.max(totalGpus(left.service), totalGpus(right.service));
  const ends = [left, right].map((side) => {
    const modelled = withModelOf(side, left.service, changes);
    return withGpus(modelled, gpus, changes);
  });
  const [first = left, second = right] = ends;
  return { pair: { left: first, right: second }, changes };
}

/** Numbers of endpoints that use exactly `gpus`, nearest to the service's own proportion. */
export function replicasFor(
  service: Service,
  gpus: number,
): { readonly main: number; readonly prefill: number } | undefined {
  const { main, prefill } = service;
  const mainGpus = gpusOf(main);
  if (prefill === undefined) {
    return gpus % mainGpus === 0 ? { main: gpus / mainGpus, prefill: 0 } : undefined;
  }
  const prefillGpus = gpusOf(prefill);
  const wanted = prefill.replicas / Math.max(1, main.replicas);
  let best: { readonly main: number; readonly prefill: number; readonly miss: number } | undefined;
  for (let count = 1; count * prefillGpus < gpus; count++) {
    const left = gpus - count * prefillGpus;
    if (left % mainGpus !== 0) continue;
    // In ratio, so that 1:2 and 2:1 are as far from 1:1.
    const miss = Math.abs(Math.log(count / (left / mainGpus) / Math.max(wanted, 1e-3)));
    if (best === undefined || miss < best.miss)
      best = { main: left / mainGpus, prefill: count, miss };
  }
  return best;
}

/** The service with other numbers of endpoints. */
export function withReplicas(service: Service, main: number, prefill: number): Service {
  return {
    ...service,
    main: { ...service.main, replicas: main },
    prefill: service.prefill && { ...service.prefill, replicas: prefill },
  };
}

function withModelOf(side: Side, { modelName, modelUri }: Service, changes: string[]): Side {
  const { service, label } = side;
  if (service.modelUri === modelUri && service.modelName === modelName) return side;
  changes.push(`${label} serves ${modelName}, not ${service.modelName}`);
  return { ...side, service: { ...service, modelName, modelUri } };
}

function withGpus(side: Side, gpus: number, changes: string[]): Side {
  const { service, label } = side;
  const before = totalGpus(service);
  if (before === gpus) return side;
  const replicas = replicasFor(service, gpus);
  if (replicas === undefined) {
    const each = poolsOf(service).map((pool) => `${gpusOf(pool)} (${pool.role})`);
    const message = `${gpus} GPUs cannot be shared out to endpoints of ${each.join(" and ")} GPUs`;
    throw new ConfigError([{ path: `--normalize: ${label}`, message, position: service.position }]);
  }
  const { main, prefill } = replicas;
  const counts =
    service.prefill === undefined ? `${main}` : `${main} decode and ${prefill} prefill`;
  changes.push(`${label} gets ${gpus} GPUs, not ${before}: ${counts} endpoints`);
  return { ...side, service: withReplicas(service, main, prefill) };
}
