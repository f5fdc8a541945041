/** Name of the ext_proc service, as health checks and paths spell it. */
export const PROCESSOR_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor";

/** Path of its one method. */
export const PROCESS_PATH: string = `/${PROCESSOR_SERVICE}/Process`;
