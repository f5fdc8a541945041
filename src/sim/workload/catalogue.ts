import type { Rng } from "../../core/rng.ts";
import type { PromptSegment } from "../id-prompt.ts";
import { DEMO_WORKLOADS } from "./demo-workloads.ts";
import { drawLength } from "./draw.ts";
import { segmentId, type WorkloadDefinition } from "./request-source.ts";
import type { WorkloadRequest } from "./workload.ts";

const SYSTEM = 16;
const QUESTION = 17;
const DOCUMENT = 18;
const TURN = 19;
/** Spread of lengths: Azure's 2023 chat trace has mean 211 and standard deviation 163 output tokens. */
const SIGMA = 0.7;

/** What people run on such clusters, and the workloads of the llm-d demo. */
export const WORKLOADS: readonly WorkloadDefinition[] = [
  {
    name: "chat",
    description: "sessions of short turns behind one system prompt",
    params: { systemTokens: 500, userTokens: 150, outputTokens: 200, turns: 4, thinkSeconds: 10 },
    optional: ["thinkSeconds"],
    *open(params, rng, facts) {
      const system = { id: segmentId(SYSTEM, 0), tokenCount: params("systemTokens") };
      for (let session = 0; ; session++) {
        yield sessionTurn([system], session, {
          addedTokens: params("userTokens"),
          outputTokens: params("outputTokens"),
          turnsLeft: drawLength(rng, params("turns"), SIGMA, 100),
          thinkSeconds: params("thinkSeconds"),
          maxModelLen: facts.maxModelLen,
          rng,
        });
      }
    },
  },
  {
    name: "shared-prefix",
    description: "questions behind shared documents, as in llm-d's published benchmark",
    params: {
      groups: 150,
      promptsPerGroup: 5,
      systemTokens: 6000,
      questionTokens: 1200,
      outputTokens: 1000,
    },
    optional: ["promptsPerGroup"],
    *open(params, rng) {
      const [groups, perGroup] = [params("groups"), params("promptsPerGroup")];
      const outputTokens = params("outputTokens");
      for (let index = 0; ; index++) {
        const group = rng.below(groups);
        // Without a number of prompts to choose from, every question is a new one.
        const question = perGroup > 0 ? group * perGroup + rng.below(perGroup) : index;
        const segments = [
          { id: segmentId(SYSTEM, group), tokenCount: params("systemTokens") },
          { id: segmentId(QUESTION, question), tokenCount: params("questionTokens") },
        ];
        yield { segments, outputTokens };
      }
    },
  },
  {
    name: "code-agent",
    description: "long sessions whose context grows with every tool call",
    params: {
      systemTokens: 8000,
      stepTokens: 1500,
      outputTokens: 300,
      turns: 15,
      thinkSeconds: 2,
    },
    optional: ["thinkSeconds"],
    *open(params, rng, facts) {
      const system = { id: segmentId(SYSTEM, 0), tokenCount: params("systemTokens") };
      for (let session = 0; ; session++) {
        yield sessionTurn([system], session, {
          addedTokens: params("stepTokens"),
          outputTokens: params("outputTokens"),
          turnsLeft: drawLength(rng, params("turns"), SIGMA, 200),
          thinkSeconds: params("thinkSeconds"),
          maxModelLen: facts.maxModelLen,
          rng,
        });
      }
    },
  },
  {
    name: "summarisation",
    description: "long unrelated documents with short answers",
    params: { documentTokens: 6000, outputTokens: 200 },
    *open(params, rng, facts) {
      yield* singleTurns(params("documentTokens"), params("outputTokens"), rng, facts.maxModelLen);
      return undefined;
    },
  },
  {
    name: "reasoning",
    description: "short questions with very long answers",
    params: { questionTokens: 300, outputTokens: 4000 },
    *open(params, rng, facts) {
      yield* singleTurns(params("questionTokens"), params("outputTokens"), rng, facts.maxModelLen);
      return undefined;
    },
  },
  ...DEMO_WORKLOADS,
];

/** Finds a workload by name. */
export function findWorkload(name: string): WorkloadDefinition | undefined {
  return WORKLOADS.find((workload) => workload.name === name);
}

/** Unrelated prompts with drawn lengths that fit the model. */
function* singleTurns(
  promptTokens: number,
  outputTokens: number,
  rng: Rng,
  maxModelLen: number,
): Generator<WorkloadRequest> {
  for (let index = 0; ; index++) {
    const tokenCount = drawLength(rng, promptTokens, SIGMA, Math.max(1, maxModelLen - 2));
    const left = Math.max(1, maxModelLen - tokenCount);
    const drawn = drawLength(rng, outputTokens, SIGMA, left);
    yield { segments: [{ id: segmentId(DOCUMENT, index), tokenCount }], outputTokens: drawn };
  }
}

interface Session {
  readonly addedTokens: number;
  readonly outputTokens: number;
  readonly turnsLeft: number;
  readonly thinkSeconds: number;
  readonly maxModelLen: number;
  readonly rng: Rng;
}

/**
 * A turn and, behind it, the rest of its session. The next prompt is the last one, its answer and what
 * the user adds; answers are text that no engine has seen as a prompt, as in the live engines.
 */
function sessionTurn(
  before: readonly PromptSegment[],
  session: number,
  rest: Session,
): WorkloadRequest {
  const { rng, maxModelLen } = rest;
  const contextTokens = before.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  const addedTokens = drawLength(rng, rest.addedTokens, SIGMA, maxModelLen);
  const outputTokens = drawLength(rng, rest.outputTokens, SIGMA, maxModelLen);
  const id = segmentId(TURN, session * 1024 + before.length);
  const segments = [...before, { id, tokenCount: addedTokens }];
  return {
    segments,
    outputTokens,
    followUp: () => {
      const answer = { id: id + 512, tokenCount: outputTokens };
      const largest = contextTokens + addedTokens + 2 * outputTokens + 4 * rest.addedTokens;
      // A client gives up a session before its context overflows.
      if (rest.turnsLeft <= 1 || largest > maxModelLen) return undefined;
      return {
        thinkUs: Math.round(-Math.log(1 - rng.next()) * rest.thinkSeconds * 1e6),
        request: sessionTurn([...segments, answer], session, {
          ...rest,
          turnsLeft: rest.turnsLeft - 1,
        }),
      };
    },
  };
}
