import type { PluginDefinition } from "../plugin/define-plugin.ts";
import { approxPrefixCacheProducer } from "./data-producer/approx-prefix-cache.ts";
import { decodeFilter, prefillFilter } from "./filter/role.ts";
import { prefillHeaderHandler } from "./header-handler/prefill-header.ts";
import { maxScorePicker } from "./picker/max-score.ts";
import { randomPicker } from "./picker/random.ts";
import { pdProfileHandler } from "./profile-handler/pd.ts";
import { singleProfileHandler } from "./profile-handler/single.ts";
import { kvCacheScorer } from "./scorer/kv-cache.ts";
import { prefixCacheScorer } from "./scorer/prefix-cache.ts";
import { queueScorer } from "./scorer/queue.ts";

/** Every plugin that is part of the program, in the order in which a request meets them. */
export const builtinPlugins: readonly PluginDefinition[] = [
  singleProfileHandler,
  pdProfileHandler,
  prefillHeaderHandler,
  approxPrefixCacheProducer,
  prefillFilter,
  decodeFilter,
  queueScorer,
  kvCacheScorer,
  prefixCacheScorer,
  maxScorePicker,
  randomPicker,
];
