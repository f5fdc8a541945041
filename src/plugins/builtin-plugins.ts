import type { PluginDefinition } from "../plugin/define-plugin.ts";
import { approxPrefixCacheProducer } from "./data-producer/approx-prefix-cache.ts";
import { inflightLoadProducer } from "./data-producer/inflight-load.ts";
import {
  precisePrefixCacheProducer,
  precisePrefixCacheScorer,
} from "./data-producer/precise-prefix-cache.ts";
import { sessionIdProducer } from "./data-producer/session-id.ts";
import { tokenProducer } from "./data-producer/token.ts";
import { alwaysDisaggMultimodalDecider } from "./decider/always-multimodal.ts";
import { alwaysDisaggPdDecider } from "./decider/always-pd.ts";
import { prefixBasedPdDecider } from "./decider/prefix-based-pd.ts";
import { byLabelFilter } from "./filter/by-label.ts";
import { contextLengthAware } from "./filter/context-length-aware.ts";
import { endpointAttributeFilter } from "./filter/endpoint-attribute.ts";
import { byLabelSelectorFilter, labelSelectorFilter } from "./filter/label-selector.ts";
import { prefixCacheAffinityFilter } from "./filter/prefix-cache-affinity.ts";
import { decodeFilter, encodeFilter, prefillFilter } from "./filter/role.ts";
import { sessionAffinityFilter } from "./filter/session-affinity.ts";
import { activeRequestFilter, utilizationFilter } from "./filter/utilization.ts";
import { disaggHeadersHandler } from "./header-handler/disagg-headers.ts";
import { prefillHeaderHandler } from "./header-handler/prefill-header.ts";
import { inertPlugins } from "./inert-plugins.ts";
import { maxScorePicker } from "./picker/max-score.ts";
import { randomPicker } from "./picker/random.ts";
import { weightedRandomPicker } from "./picker/weighted-random.ts";
import { dataParallelProfileHandler } from "./profile-handler/data-parallel.ts";
import { disaggProfileHandler } from "./profile-handler/disagg.ts";
import { headerProfileHandler } from "./profile-handler/header-profile.ts";
import { pdProfileHandler } from "./profile-handler/pd.ts";
import { singleProfileHandler } from "./profile-handler/single.ts";
import { activeRequestScorer } from "./scorer/active-request.ts";
import { endpointAttributeScorer } from "./scorer/endpoint-attribute.ts";
import { headerLabelAffinityScorer } from "./scorer/header-label-affinity.ts";
import { kvCacheScorer, kvCacheUtilizationScorer } from "./scorer/kv-cache.ts";
import { loadAwareScorer } from "./scorer/load-aware.ts";
import { loraAffinityScorer } from "./scorer/lora-affinity.ts";
import { noHitLruScorer } from "./scorer/no-hit-lru.ts";
import { prefixCacheScorer } from "./scorer/prefix-cache.ts";
import { queueScorer, runningRequestsSizeScorer } from "./scorer/queue.ts";
import { sessionAffinityScorer } from "./scorer/session-affinity.ts";
import { tokenLoadScorer } from "./scorer/token-load.ts";

/** Every plugin that is part of the program, in the order in which a request meets them. */
export const builtinPlugins: readonly PluginDefinition[] = [
  singleProfileHandler,
  pdProfileHandler,
  disaggProfileHandler,
  dataParallelProfileHandler,
  headerProfileHandler,
  alwaysDisaggPdDecider,
  prefixBasedPdDecider,
  alwaysDisaggMultimodalDecider,
  prefillHeaderHandler,
  disaggHeadersHandler,
  tokenProducer,
  sessionIdProducer,
  approxPrefixCacheProducer,
  precisePrefixCacheProducer,
  inflightLoadProducer,
  prefillFilter,
  decodeFilter,
  encodeFilter,
  byLabelFilter,
  labelSelectorFilter,
  byLabelSelectorFilter,
  sessionAffinityFilter,
  prefixCacheAffinityFilter,
  utilizationFilter,
  activeRequestFilter,
  endpointAttributeFilter,
  contextLengthAware,
  queueScorer,
  kvCacheScorer,
  prefixCacheScorer,
  precisePrefixCacheScorer,
  kvCacheUtilizationScorer,
  runningRequestsSizeScorer,
  loadAwareScorer,
  activeRequestScorer,
  tokenLoadScorer,
  loraAffinityScorer,
  sessionAffinityScorer,
  noHitLruScorer,
  endpointAttributeScorer,
  headerLabelAffinityScorer,
  maxScorePicker,
  randomPicker,
  weightedRandomPicker,
];

/** Every type that a file may name: those above, and those that load without effect. */
export const knownPlugins: readonly PluginDefinition[] = [...builtinPlugins, ...inertPlugins];
