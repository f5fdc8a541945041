import { ConfigError } from "../core/config-error.ts";
import type { Service } from "../manifest/service.ts";

/** A setting for all services, or for one of them: `[SERVICE=]VALUE` as given on the command line. */
export interface ServiceSetting<T> {
  /** Undefined for every service that the setting suits. */
  readonly service: string | undefined;
  readonly value: T;
}

/** The last setting that applies; one that names the service wins over a general one. */
export function settingFor<T>(
  settings: readonly ServiceSetting<T>[],
  service: Service,
): T | undefined {
  const named = settings.findLast((setting) => setting.service === service.name);
  return (named ?? settings.findLast((setting) => setting.service === undefined))?.value;
}

/** Throws when a setting names a service that is not there. */
export function checkSettings(
  flag: string,
  settings: readonly ServiceSetting<unknown>[],
  services: readonly Service[],
): void {
  const names = services.map((service) => service.name);
  for (const { service } of settings) {
    if (service === undefined || names.includes(service)) continue;
    throw new ConfigError([
      { path: flag, message: `no service is named ${service}`, allowed: names },
    ]);
  }
}
