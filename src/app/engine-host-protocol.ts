import type { KvEvent } from "../core/kv-event.ts";
import type { EnginePlan } from "./engine-plan.ts";

/** What the engine host is told, over the child process' message port. */
export type HostCommand =
  | {
      readonly kind: "launch";
      readonly engines: readonly EnginePlan[];
      readonly host: string;
      readonly timeScale: number;
      readonly seed: number;
      readonly prefillFallback: "decode" | "error";
    }
  | { readonly kind: "kill" | "start"; readonly call: number; readonly engine: string }
  | { readonly kind: "stop" };

/** Where an engine of the host can be reached. */
export interface EngineAddress {
  readonly name: string;
  /** The engine, or its sidecar where it has one. */
  readonly address: string;
  readonly engineAddress: string;
}

/** What the engine host says. */
export type HostMessage =
  | { readonly kind: "launched"; readonly engines: readonly EngineAddress[] }
  | { readonly kind: "launch-failed"; readonly message: string }
  | { readonly kind: "done"; readonly call: number; readonly error: string | undefined }
  | { readonly kind: "kv-events"; readonly engine: string; readonly events: readonly KvEvent[] };
