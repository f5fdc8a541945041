import type { Service } from "../manifest/service.ts";
import { choiceOf } from "./describe-service.ts";
import { isSplit, type Pair, type Side } from "./side.ts";
import type { Table } from "./table.ts";

/** Both ways of serving with what speaks for and against them. */
export function strategyTable({ left, right }: Pair): Table {
  return {
    title: "Serving strategies",
    header: ["Strategy", "Description", "Pros", "Cons"],
    rows: [left, right].map(({ label, service }) => {
      const words = isSplit(service) ? SPLIT : SINGLE;
      return [
        `${words.name} (${label})`,
        words.description,
        words.pros,
        consOf(service, words.cons),
      ];
    }),
  };
}

/** Rules of thumb; empty unless one service splits and the other does not. */
export function whenTable({ left, right }: Pair): Table {
  const title = "When to use each";
  const header = ["Situation", "Choose", "Why"];
  const single = [left, right].find(({ service }) => !isSplit(service));
  const split = [left, right].find(({ service }) => isSplit(service));
  const rows =
    single === undefined || split === undefined
      ? []
      : SITUATIONS.map(([situation, choice, why]) => [
          situation,
          ({ single, split } satisfies Record<string, Side>)[choice].label,
          why,
        ]);
  return {
    title,
    header,
    rows,
    remark:
      "Rules of thumb. Where the line lies for this model, these GPUs and these limits is what the sweep measures.",
  };
}

const SINGLE = {
  name: "Single pool",
  description: "Each endpoint serves whole requests; the router chooses among equals.",
  pros: "Fewest moving parts; nothing is transferred; every GPU does whatever is needed.",
  cons: "A prompt's computation shares steps with running answers and stretches them, the longer the more.",
};

const SPLIT = {
  name: "Prefill/decode split",
  description:
    "Prefill endpoints compute prompts; decode endpoints fetch the KV cache and generate.",
  pros: "Answers come evenly whatever prompts arrive; the pools are sized and scaled apart.",
  cons: "Needs a fast network and two pools in the right ratio; each split prompt pays for a transfer, and short ones gain nothing.",
};

function consOf(service: Service, cons: string): string {
  return choiceOf(service) === "lot"
    ? `${cons} As configured, endpoints are drawn by lot: neither queues nor caches count.`
    : cons;
}

const SITUATIONS: readonly (readonly [
  situation: string,
  choice: "single" | "split",
  why: string,
])[] = [
  [
    "Development, tests, small models",
    "single",
    "Computing a short prompt or a small model's prompt takes less time than organising its transfer.",
  ],
  ["One GPU, or few", "single", "A split needs a GPU for each stage, and idle stages help nobody."],
  [
    "Long prompts, many at once, answers that must not stutter",
    "split",
    "Prompts no longer take their share of the steps in which answers are generated.",
  ],
  [
    "No RDMA between hosts",
    "single",
    "UCX moves GPU memory at about 0.55 GB/s over TCP, against 48 GB/s on a 400 Gbit/s card: the transfer takes longer than the prompt.",
  ],
  [
    "RDMA (InfiniBand or RoCE) on every host",
    "split",
    "The transfer takes milliseconds. That the fabric is there is not a reason by itself: the load has to need the split.",
  ],
];
