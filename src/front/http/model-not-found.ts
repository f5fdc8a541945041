import type { Rejection } from "../../core/rejection.ts";
import type { FrontPool } from "./front-pool.ts";

const NAME_CHARACTERS_MAX = 64;
const LISTED_MODELS_MAX = 8;

/** Says which models there are; of the client's name only a short printable form is repeated. */
export function modelNotFound(name: string, pools: readonly FrontPool[]): Rejection {
  const known = [...new Set(pools.flatMap((pool) => pool.servedModels().map((m) => m.id)))];
  const listed = known.slice(0, LISTED_MODELS_MAX).join(", ");
  const further =
    known.length > LISTED_MODELS_MAX ? `, and ${known.length - LISTED_MODELS_MAX} more` : "";
  const served = known.length === 0 ? "no model is served yet" : `served: ${listed}${further}`;
  return {
    reason: "model-not-found",
    message: `the model '${printable(name)}' is not served here; ${served}`,
  };
}

function printable(text: string): string {
  const clipped = text.slice(0, NAME_CHARACTERS_MAX).replace(/[^\x20-\x7e]|['"\\]/g, "?");
  return text.length > NAME_CHARACTERS_MAX ? `${clipped}…` : clipped;
}
