import { REJECTION_ANSWERS, type Rejection } from "../../core/rejection.ts";

/** A whole answer that the front gives itself. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A refusal in OpenAI's error shape, with `Retry-After` where its reason has one. */
export function errorAnswer(rejection: Rejection, param: string | null): Answer {
  const { status, type, code, retryAfterSeconds } = REJECTION_ANSWERS[rejection.reason];
  const answer = jsonAnswer(status, { error: { message: rejection.message, type, param, code } });
  if (retryAfterSeconds === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, "retry-after": String(retryAfterSeconds) } };
}

/** Any value as a JSON answer. */
export function jsonAnswer(status: number, value: unknown): Answer {
  const body = Buffer.from(JSON.stringify(value));
  const headers = { "content-type": "application/json", "content-length": String(body.length) };
  return { status, headers, body };
}
