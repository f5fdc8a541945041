/** A status with an error object as OpenAI's API shapes it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  /** For the client: says what to do and holds no client input. */
  readonly message: string;
}

/** JSON body of an error answer. */
export function errorBody(answer: ErrorAnswer): Buffer {
  const { message, type, code } = answer;
  return Buffer.from(JSON.stringify({ error: { message, type, param: null, code } }));
}
