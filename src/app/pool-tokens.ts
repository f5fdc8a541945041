import type { RouterConfig } from "../config/router-config.ts";
import type { Log } from "../core/log.ts";
import type { EngineAccess } from "../datalayer/endpoint-clients.ts";
import { EngineTokens } from "../datalayer/engine-tokens.ts";
import { HarmonyTokens } from "../datalayer/harmony-tokens.ts";
import { PromptTokenizer } from "../datalayer/prompt-tokenizer.ts";
import type { TokenSource } from "../datalayer/token-source.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { askedKeys } from "../plugins/data-producer/precise-prefix-cache.ts";
import { tokenBackendOf } from "../plugins/data-producer/token.ts";
import { type BlockHasher, type BlockKeys, ownKeys } from "../request/block-hasher.ts";

/** What a pool's tokens are made with. */
export interface PoolTokensOptions {
  readonly config: RouterConfig;
  /** Undefined where the engines are asked what they serve. */
  readonly modelName: string | undefined;
  /** Engines that count four bytes as a token, whatever the configuration says. */
  readonly isEstimating: boolean;
  /** Keys of the pool's index, which are those of its first configuration. */
  readonly keys: BlockKeys;
  readonly table: EndpointTable;
  readonly access?: EngineAccess | undefined;
  readonly log: Log;
}

/** How one configuration of a pool gets at the tokens of prompts. */
export class PoolTokens {
  readonly baseModel: string;
  readonly keys: BlockKeys;
  /** Undefined where a prompt's bytes are its tokens. */
  readonly tokenizer: PromptTokenizer | undefined;
  readonly #isMatching: boolean;
  readonly #isCounting: boolean;

  constructor(options: PoolTokensOptions) {
    const { config, modelName, keys, log } = options;
    this.baseModel = modelName ?? "";
    this.keys = keys;
    const source = options.isEstimating ? undefined : sourceOf(options);
    this.tokenizer = source === undefined ? undefined : new PromptTokenizer(source, log);
    this.#isMatching = config.plugins.some(({ definition }) => definition.consumesKvEvents);
    this.#isCounting = source !== undefined && isBackendNamed(config);
  }

  /** Nobody asks for tokens while no engine has said what it holds, unless they are to be counted. */
  isNeeded(pool: { readonly hasKvReports: boolean }): boolean {
    if (this.#isCounting) return true;
    return this.#isMatching && (this.tokenizer === undefined || pool.hasKvReports);
  }

  async close(): Promise<void> {
    await this.tokenizer?.close();
  }
}

/** Keys of the index of a pool's KV events: llm-d's where a plugin's parameters ask for them. */
export function blockKeysOf({ plugins }: RouterConfig, hasher: BlockHasher): BlockKeys {
  for (const { definition, parameters } of plugins) {
    const asked = askedKeys(definition.type, parameters);
    if (asked !== undefined) return asked;
  }
  return ownKeys(hasher);
}

function isBackendNamed({ plugins }: RouterConfig): boolean {
  return plugins.some(
    ({ definition, parameters }) => tokenBackendOf(definition.type, parameters) !== undefined,
  );
}

/** gpt-oss is encoded here, other models by their engines; undefined for the estimate. */
function sourceOf(options: PoolTokensOptions): TokenSource | undefined {
  const { config, modelName, table, access } = options;
  const backend = config.plugins
    .map(({ definition, parameters }) => tokenBackendOf(definition.type, parameters))
    .find((found) => found !== undefined);
  if (backend?.kind === "estimate") return undefined;
  const { url, timeoutMs } = backend ?? { url: undefined, timeoutMs: ENGINE_TIMEOUT_MS };
  const isHarmony = url === undefined && GPT_OSS.test(backend?.modelName ?? modelName ?? "");
  return isHarmony ? new HarmonyTokens() : new EngineTokens({ url, table, access, timeoutMs });
}

const GPT_OSS = /gpt-oss/i;
const ENGINE_TIMEOUT_MS = 5000;
