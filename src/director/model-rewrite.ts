import type { Rng } from "../core/rng.ts";

/** Rules that put one model in the place of another, the oldest object first. */
export interface ModelRewrite {
  readonly rules: readonly {
    /** Exact model names; none means every model. */
    readonly matches: readonly string[];
    readonly targets: readonly RewriteTarget[];
  }[];
}

interface RewriteTarget {
  readonly model: string;
  readonly weight: number | undefined;
}

/**
 * The model that takes the place of `model`, undefined when no rule speaks of it. An exact rule beats
 * one for every model, then the first in the list wins; a request without model needs the latter.
 */
export function rewriteFor(
  rewrites: readonly ModelRewrite[],
  model: string | undefined,
  rng: Rng,
): string | undefined {
  const rules = rewrites.flatMap((rewrite) => rewrite.rules);
  const rule =
    rules.find(({ matches }) => model !== undefined && matches.includes(model)) ??
    rules.find(({ matches }) => matches.length === 0);
  return rule === undefined ? undefined : drawTarget(rule.targets, rng);
}

/** Drawn by weight; a target without one is drawn only where no target has any (llm-d). */
function drawTarget(targets: readonly RewriteTarget[], rng: Rng): string | undefined {
  const sum = targets.reduce((total, { weight = 0 }) => total + weight, 0);
  if (sum === 0)
    return targets.length === 0 ? undefined : targets[rng.below(targets.length)]?.model;
  let left = rng.below(sum);
  for (const { model, weight = 0 } of targets) {
    if (left < weight) return model;
    left -= weight;
  }
  return undefined;
}
