import type { Registry } from "../plugin/registry.ts";

/** What loading a configuration needs besides its text. */
export interface LoadOptions {
  readonly registry: Registry;
  /** Whether plugins of alpha stability may be used; false unless set. */
  readonly allowAlpha?: boolean | undefined;
}
