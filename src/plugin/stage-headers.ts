import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { PluginHandle } from "./define-plugin.ts";
import type { PlanEditor } from "./plugin-instance.ts";

/**
 * Tells the decode-side sidecar which prefill endpoints to use (llm-d: `host:port`, or a comma
 * list).
 */
const PREFILLER_HEADER = "x-prefiller-host-port";
/**
 * Tells the sidecar which encode endpoints share the images, audio and video (llm-d: comma list).
 */
const ENCODERS_HEADER = "x-encoder-hosts-ports";

/**
 * Names the best prefill endpoints, as many as the sidecar may try; a request that is whole gets no
 * header.
 */
export function setPrefillerHeader(plan: PlanEditor, handle: PluginHandle): void {
  const ranked = plan.prefill.slice(0, handle.prefillCandidates);
  setAddresses(plan, PREFILLER_HEADER, ranked, handle.endpoints);
}

/** Names all encode endpoints; a request without encode stage gets no header. */
export function setEncodersHeader(plan: PlanEditor, handle: PluginHandle): void {
  setAddresses(plan, ENCODERS_HEADER, plan.encode, handle.endpoints);
}

function setAddresses(
  plan: PlanEditor,
  header: string,
  slots: readonly number[],
  endpoints: EndpointTable,
): void {
  if (slots.length === 0) return;
  plan.setHeader(header, slots.map((slot) => endpoints.address(slot)).join(","));
}
