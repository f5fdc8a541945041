import { type Labels, ROLE_LABEL } from "../endpoints/endpoint-table.ts";
import type { Pool, Service } from "../manifest/service.ts";

/** Name and labels that an endpoint of a service gets, as KServe labels its pods. */
export interface EndpointPlan {
  readonly name: string;
  readonly labels: Labels;
}

/** Unique key of a service's pool: its name, with the namespace where two services share it. */
export function poolKey(service: Service, services: readonly Service[]): string {
  const isShared = services.some((other) => other !== service && other.name === service.name);
  return isShared ? `${service.namespace}.${service.name}` : service.name;
}

/** `qwen-pd-decode-0` and so on; a pool that serves whole requests needs no stage in its names. */
export function planEndpoints(key: string, pool: Pool, replicas: number): readonly EndpointPlan[] {
  const stem = pool.role === "both" ? key : `${key}-${pool.role}`;
  return Array.from({ length: replicas }, (_, index) => ({
    name: `${stem}-${index}`,
    labels: { [ROLE_LABEL]: pool.role },
  }));
}
