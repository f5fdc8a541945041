/** UTF-8 bytes that count as one token where no tokenizer is known. */
export const BYTES_PER_TOKEN = 4;

/** Turns prompt bytes into token ids; the router and the engine must use the same one for exact matches. */
export interface Tokenizer {
  /** Token ids of the prompt, the last one possibly of a partial piece. */
  tokenize(promptBytes: Uint8Array): Uint32Array;
}

/** Four UTF-8 bytes are one token: little-endian, zero padded (llm-d `token-producer`, estimate backend). */
export const estimatingTokenizer: Tokenizer = {
  tokenize(promptBytes) {
    const tokens = new Uint32Array(Math.ceil(promptBytes.length / BYTES_PER_TOKEN));
    new Uint8Array(tokens.buffer).set(promptBytes);
    return tokens;
  },
};
