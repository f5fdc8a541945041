import { findJsonMember, type JsonMembers, readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";

/** Where the limits of an API stand: at the top of the body, or in an object of it. */
interface TokenLimits {
  readonly within?: string;
  readonly names: readonly string[];
}

// llm-d's sidecar caps these; a `min_tokens` above the cap would be refused by vLLM.
const COMPLETION_LIMITS: TokenLimits = {
  names: ["max_tokens", "max_completion_tokens", "min_tokens"],
};
const LIMITS_BY_PATH: ReadonlyMap<string, TokenLimits> = new Map([
  ["/v1/chat/completions", COMPLETION_LIMITS],
  ["/v1/completions", COMPLETION_LIMITS],
  ["/v1/responses", { names: ["max_output_tokens"] }],
  ["/v1/messages", { names: ["max_tokens"] }],
  ["/inference/v1/generate", { within: "sampling_params", names: ["max_tokens", "min_tokens"] }],
]);

/** Paths whose requests can be split. */
export const SPLIT_PATHS: readonly string[] = [...LIMITS_BY_PATH.keys()];

/** The client's body for one token without a stream, with further members changed. */
export function oneTokenBody(
  body: Uint8Array,
  object: JsonMembers,
  path: string,
  changes: readonly (readonly [name: string, text: string])[],
): Uint8Array {
  return applyEdits(
    body,
    editMembers(
      object,
      new Map([
        ...changes,
        ["stream", "false"],
        // Engines refuse them without a stream.
        ["stream_options", undefined],
        ...cappedLimits(body, object, LIMITS_BY_PATH.get(path) ?? COMPLETION_LIMITS),
      ]),
    ),
  );
}

function cappedLimits(
  body: Uint8Array,
  object: JsonMembers,
  { within, names }: TokenLimits,
): readonly [string, string][] {
  const caps = names.map((name): [string, string] => [name, "1"]);
  if (within === undefined) return caps;
  const member = findJsonMember(object, within);
  const inner = member && readJsonMembers(body, member.valueStart, member.valueEnd);
  if (inner === undefined) return [[within, JSON.stringify(Object.fromEntries(names.map(one)))]];
  const edited = applyEdits(body, editMembers(inner, new Map(caps)));
  const end = inner.end + edited.length - body.length;
  return [[within, new TextDecoder().decode(edited.subarray(inner.start, end))]];
}

function one(name: string): [string, number] {
  return [name, 1];
}
