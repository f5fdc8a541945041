import type { SourceNode } from "../config/source-node.ts";
import type { EngineWord } from "./engine-flags.ts";
import type { Service } from "./service.ts";

/** A loaded service and the places of its file, for tools that point at them. */
export interface OpenService {
  readonly service: Service;
  /** The document. */
  readonly root: SourceNode;
  /** Its EndpointPickerConfig; undefined when the built-in one is used. */
  readonly pickerRoot: SourceNode | undefined;
  /** Arguments of the scheduler's container, templates resolved, in their order. */
  readonly pickerWords: readonly EngineWord[];
}
