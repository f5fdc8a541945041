import { Agent, request as send } from "undici";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { isRecord } from "../request/prompt-bytes.ts";
import { DEFAULT_ENGINE_ACCESS, type EngineAccess } from "./endpoint-clients.ts";
import {
  type RequestBody,
  type SegmentTokens,
  segmentKeys,
  type TokenPlan,
  type TokenSource,
} from "./token-source.ts";

/** Who is asked for tokens. */
export interface EngineTokensOptions {
  /** Base address of one server; undefined asks the pool's ready endpoints in turn. */
  readonly url: string | undefined;
  readonly table: EndpointTable;
  readonly access?: EngineAccess | undefined;
  /** Wall milliseconds for one prompt. */
  readonly timeoutMs: number;
}

/** Connections to one server: tokenizing must not crowd out what it is there for. */
const CONNECTIONS = 2;
/** A million tokens as decimal numbers. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;

/** Fields of a chat that change how vLLM renders it; `/tokenize` takes them under the same names. */
const CHAT_FIELDS = [
  "tools",
  "chat_template",
  "chat_template_kwargs",
  "add_generation_prompt",
  "continue_final_message",
  "add_special_tokens",
  "mm_processor_kwargs",
] as const;

/** Tokens by vLLM's own `POST /tokenize`. */
export class EngineTokens implements TokenSource {
  readonly name = "engine";
  readonly #options: EngineTokensOptions;
  readonly #agent: Agent;
  #turn = 0;

  constructor(options: EngineTokensOptions) {
    this.#options = options;
    this.#agent = new Agent({
      allowH2: false,
      pipelining: 1,
      connections: CONNECTIONS,
      maxResponseSize: RESPONSE_BYTES_MAX,
      connect: {
        timeout: options.timeoutMs,
        rejectUnauthorized: options.access?.isVerifying ?? false,
      },
    });
  }

  plan({ kind, model }: InferenceRequest, body: RequestBody): TokenPlan | undefined {
    const asked = kind === "chat" ? chatQuestion(body) : completionQuestion(body);
    if (asked === undefined) return undefined;
    const { keys, sizeBytes } = segmentKeys(asked.segments);
    const question = { model, ...asked.question };
    return { keys, sizeBytes, run: () => this.#ask(JSON.stringify(question), keys.length) };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(body: string, segments: number): Promise<SegmentTokens> {
    const answer = await send(`${this.#base()}/tokenize`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(this.#options.timeoutMs),
    });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw new Error(`status ${answer.statusCode}`);
    }
    const tokens = tokensOf(await answer.body.json());
    // Where messages end within a template is the template's secret: only the whole is known.
    const ends = new Int32Array(segments).fill(-1);
    ends[segments - 1] = tokens.length;
    return { from: 0, tokens, ends };
  }

  #base(): string {
    const { url, table, access = DEFAULT_ENGINE_ACCESS } = this.#options;
    if (url !== undefined) return url.replace(/\/+$/, "");
    for (let step = 0; step < table.slotCount; step++) {
      const slot = (this.#turn + step) % table.slotCount;
      if (!table.isPresent(slot) || !table.isReady(slot)) continue;
      this.#turn = slot + 1;
      return `${access.scheme}://${table.address(slot)}`;
    }
    throw new Error("no endpoint is ready");
  }
}

interface Question {
  readonly question: Readonly<Record<string, unknown>>;
  /** What the keys of the prompt's beginnings are made of. */
  readonly segments: readonly string[];
}

function chatQuestion(body: RequestBody): Question | undefined {
  const { messages } = body;
  if (!Array.isArray(messages)) return undefined;
  const settings = Object.fromEntries(
    CHAT_FIELDS.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])),
  );
  const [first, ...rest] = messages.map((message) => JSON.stringify(message));
  return {
    question: { messages, ...settings },
    segments: [`${JSON.stringify(settings)}${first}`, ...rest],
  };
}

function completionQuestion(body: RequestBody): Question | undefined {
  const { prompt, add_special_tokens: isFramed } = body;
  if (typeof prompt !== "string") return undefined;
  const framed = isFramed === undefined ? {} : { add_special_tokens: isFramed };
  return { question: { prompt, ...framed }, segments: [`${JSON.stringify(framed)}${prompt}`] };
}

/** Ids of vLLM's `TokenizeResponse`; throws for another shape. */
function tokensOf(answer: unknown): Uint32Array {
  const tokens = isRecord(answer) ? answer["tokens"] : undefined;
  const isList = Array.isArray(tokens) && tokens.every((token) => Number.isInteger(token));
  if (!isList) throw new Error("not a list of tokens");
  return Uint32Array.from(tokens as readonly number[]);
}
