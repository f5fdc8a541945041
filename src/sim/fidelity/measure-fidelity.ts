import type { FindingGroup } from "./finding.ts";
import { gptOssSplit, gptOssSteps } from "./gpt-oss.ts";
import { mooncakeHits } from "./mooncake-hits.ts";
import { sharedPrefixLadder } from "./shared-prefix-ladder.ts";
import { singleInstances } from "./single-instance.ts";
import { kvCapacities, kvTransfers } from "./sizes.ts";

/** Seconds of a stage of the single instances, and of the split burst: the published ones. */
const SINGLE_SECONDS = 150;
const SPLIT_SECONDS = 120;

/** Simulates every published experiment; `lines` is Mooncake's conversation trace where it is at hand. */
export async function measureFidelity(
  lines: AsyncIterable<string> | undefined,
): Promise<readonly FindingGroup[]> {
  return [
    ...(await sharedPrefixLadder()),
    await singleInstances(SINGLE_SECONDS),
    await gptOssSteps(),
    await gptOssSplit(SPLIT_SECONDS),
    kvCapacities(),
    kvTransfers(),
    ...(lines === undefined ? [] : [await mooncakeHits(lines)]),
  ];
}
