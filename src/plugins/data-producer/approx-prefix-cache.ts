import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { type PrefixMatch, prefixMatch } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Prompt bytes in one block. */
    blockBytes: z.int().positive(),
    /** Leading blocks of a prompt that are looked for and recorded. */
    maxPrefixBlocksToMatch: z.int().positive(),
    /** Blocks remembered for each endpoint. */
    lruCapacityPerServer: z.int().positive(),
  }),
);

/**
 * Remembers which prompt blocks were sent where, and says how much of a prompt each endpoint should hold.
 * Credit is given with the decision itself, so a burst of equal prompts does not scatter.
 */
export const approxPrefixCacheProducer: PluginDefinition = definePlugin({
  type: "approx-prefix-cache-producer",
  stability: "stable",
  state: "shared",
  roles: ["produce", "onPlan"],
  produces: [prefixMatch],
  params: decodeParams,
  create: (params, handle) => {
    const { blockBytes, maxPrefixBlocksToMatch } = params;
    const index = handle.createBlockIndex(params.lruCapacityPerServer, blockBytes);
    const labels = { plugin_name: handle.name, plugin_type: "approx-prefix-cache-producer" };
    let matchedBySlot = new Int32Array(0);
    return {
      prepare(request) {
        request.prompt.blocks(blockBytes, maxPrefixBlocksToMatch);
      },
      produce(cycle) {
        const slotCount = cycle.endpoints.slotCount;
        if (matchedBySlot.length !== slotCount) matchedBySlot = new Int32Array(slotCount);
        const chain = cycle.request.prompt.blocks(blockBytes, maxPrefixBlocksToMatch);
        index.match(chain.hashes, chain.blockCount, matchedBySlot);
        const { blockCount } = chain;
        const source = "approximate";
        const match: PrefixMatch = { blockCount, blockBytes, matchedBySlot, source };
        cycle.set(prefixMatch, match, handle.name);
      },
      onPlan(cycle, plan) {
        const match = cycle.get(prefixMatch, handle.name);
        const [primary] = plan.primary;
        if (primary !== undefined && match !== undefined && match.blockCount > 0) {
          const ratio = (match.matchedBySlot[primary] ?? 0) / match.blockCount;
          handle.meter.observe("prefix-hit-ratio", labels, ratio);
          handle.meter.observe("prefix-hit-bytes", labels, ratio * match.blockCount * blockBytes);
        }
        const chain = cycle.request.prompt.blocks(blockBytes, maxPrefixBlocksToMatch);
        for (const slot of [primary, plan.prefill[0]]) {
          if (slot !== undefined) index.record(chain.hashes, chain.blockCount, slot);
        }
      },
      onRetry(exchange) {
        const chain = exchange.request.prompt.blocks(blockBytes, maxPrefixBlocksToMatch);
        index.record(chain.hashes, chain.blockCount, exchange.slot);
      },
      onEndpoint(slot) {
        index.purge(slot);
      },
      dumpState: () => ({
        sizeBytes: index.sizeBytes,
        blocksByEndpoint: Object.fromEntries(
          Array.from({ length: handle.endpoints.slotCount }, (_, slot) => slot)
            .filter((slot) => handle.endpoints.isPresent(slot))
            .map((slot) => [handle.endpoints.id(slot), index.blockCount(slot)]),
        ),
      }),
    };
  },
});
