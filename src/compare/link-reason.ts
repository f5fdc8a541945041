import { LINK_TITLES } from "./arm.ts";
import { middleLoad, OWN_LINKS, type SweepSubject } from "./sweep-plan.ts";
import { better, pointAt, type SweepPoint, type SweepResult } from "./sweep-result.ts";
import { percent } from "./sweep-tables.ts";

/** What the link decides, as sentences from the sweep's points. */
export function linkReason(
  sweep: SweepResult,
  { contestants, link }: SweepSubject,
  holder: string,
): readonly string[] {
  if (contestants === undefined) return [];
  const loadRatio = middleLoad(sweep.shape);
  const at = (variant: string, tokens: number): SweepPoint | undefined =>
    pointAt(sweep, variant, tokens, loadRatio);
  const tcp = link === "tcp" ? contestants.split : "link-tcp";
  const rdma = link === "rdma" ? contestants.split : "link-rdma-400";
  const lengths = sweep.shape.promptTokens;
  const lost = lengths.filter(
    (tokens) =>
      better("goodRatio", at(holder, tokens)?.figures, at(tcp, tokens)?.figures) === "left" &&
      better("goodRatio", at(rdma, tokens)?.figures, at(tcp, tokens)?.figures) === "left",
  );
  const sentences: string[] = [];
  const [shortest] = lost;
  if (shortest !== undefined) {
    sentences.push(
      `Not without RDMA: over TCP, from ${shortest.toLocaleString("en-US")} tokens at ${percent(loadRatio)} load, ${share(at(tcp, shortest))} of the requests keep the limits (${share(at(rdma, shortest))} by ${LINK_TITLES[OWN_LINKS.rdma]}, ${share(at(holder, shortest))} without a split), because the KV cache of a prompt takes ${wait(at(tcp, shortest))} to arrive, not ${wait(at(rdma, shortest))}.`,
    );
  } else if (lengths.some((tokens) => at(tcp, tokens) !== undefined)) {
    sentences.push(
      `RDMA does not decide here: over TCP no fewer requests keep the limits at ${percent(loadRatio)} load.`,
    );
  }
  const longest = lengths.findLast((tokens) =>
    [rdma, "link-rdma-100"].every((name) => at(name, tokens)?.figures.transferMsP50 !== undefined),
  );
  if (longest === undefined) return sentences;
  const [fast, slow] = [at(rdma, longest), at("link-rdma-100", longest)];
  return [
    ...sentences,
    `A card of 100 in place of 400 Gbit/s: ${wait(slow)}, not ${wait(fast)}, for ${longest.toLocaleString("en-US")} tokens.`,
  ];
}

function share(point: SweepPoint | undefined): string {
  const ratio = point?.figures.goodRatio?.mean;
  return ratio === undefined ? "none" : percent(ratio);
}

function wait(point: SweepPoint | undefined): string {
  const ms = point?.figures.transferMsP50?.mean;
  if (ms === undefined) return "an unknown time";
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(1)} ms`;
}
