import type { RewriteRule, RouterConfig } from "../config/router-config.ts";
import type { ServedModel } from "../front/http/front-pool.ts";

/** Which model names a pool answers to. */
export class ServedNames {
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #config: () => RouterConfig;
  readonly #ids: () => ReadonlySet<string>;

  /** `ids` are what the engines serve, `config` is the one in effect. */
  constructor(config: () => RouterConfig, ids: () => ReadonlySet<string>) {
    this.#config = config;
    this.#ids = ids;
  }

  /** A model is served under its own name, or where a rule puts another in its place. */
  serves(model: string): boolean {
    return this.isNamed(model) || this.#rules().some(({ matches }) => matches.length === 0);
  }

  isNamed(model: string): boolean {
    if (this.#rules().some(({ matches }) => matches.includes(model))) return true;
    return this.#ids().has(model);
  }

  list(): readonly ServedModel[] {
    return [...this.#ids()].map((id) => ({ id, created: this.#created, ownedBy: "switchyard" }));
  }

  #rules(): readonly RewriteRule[] {
    return this.#config().rewrites.flatMap(({ rules }) => rules);
  }
}
