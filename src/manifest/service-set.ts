import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { Service } from "./service.ts";

/**
 * Checks services that are to run side by side; throws ConfigError naming both of each pair that
 * clashes.
 */
export function checkServices(services: readonly Service[]): void {
  const faults: ConfigFault[] = [];
  const byName = new Map<string, Service>();
  const byModel = new Map<string, Service>();
  for (const service of services) {
    const name = fullName(service);
    const namesake = byName.get(name);
    if (namesake !== undefined) {
      faults.push(clash(service, "metadata.name", `${name} is in ${place(namesake)} already`));
    }
    byName.set(name, service);
    const rival = byModel.get(service.modelName);
    // Requests are routed by model, so two services with one model cannot be told apart.
    if (rival !== undefined && namesake === undefined) {
      const pair = `${name} and ${fullName(rival)} (${place(rival)})`;
      const message = `${pair} both serve the model ${service.modelName}`;
      faults.push(clash(service, "spec.model.name", message));
    }
    byModel.set(service.modelName, service);
  }
  if (faults.length > 0) throw new ConfigError(faults);
}

function fullName({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}

function place({ position }: Service): string {
  return `${position.file}:${position.line}`;
}

function clash({ position }: Service, path: string, message: string): ConfigFault {
  return { path, message, position };
}
