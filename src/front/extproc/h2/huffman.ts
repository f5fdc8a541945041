/** Text that a Huffman code stands for, one character for each byte (RFC 7541 5.2); undefined for a wrong code. */
export function huffmanText(bytes: Buffer, from: number, to: number): string | undefined {
  // The shortest code has 5 bits.
  const text = Buffer.allocUnsafe(Math.ceil(((to - from) * 8) / 5));
  let sizeBytes = 0;
  let state = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    for (let nibble = byte >> 4, half = 0; half < 2; nibble = byte & 15, half++) {
      const step = STEPS[state * 16 + nibble] as number;
      if (step === WRONG) return undefined;
      if ((step & EMITS) !== 0) text[sizeBytes++] = step & 0xff;
      state = step >> STATE_SHIFT;
    }
  }
  return ENDS[state] === 1 ? text.toString("latin1", 0, sizeBytes) : undefined;
}

const EOS = 256;

// RFC 7541 appendix B: bits of each symbol's code. The code is canonical: codes of one length follow
// each other in the order of their symbols, so that the lengths say all.
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/** Bits of a step over four bits: the symbol, whether it is emitted, and the state after. */
const EMITS = 0x100;
const STATE_SHIFT = 9;
const WRONG = -1;

const { STEPS, ENDS } = buildSteps();

/** States are the inner nodes of the code's tree; a leaf leads back to the root, state 0. */
function buildSteps(): { readonly STEPS: Int32Array; readonly ENDS: Uint8Array } {
  const children = buildTree();
  const STEPS = new Int32Array(children.length * 16);
  for (let state = 0; state < children.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let step = 0;
      for (let bit = 3; bit >= 0 && step !== WRONG; bit--) {
        const next = children[node]?.[(nibble >> bit) & 1] as number;
        // Symbols are stored below zero. EOS within a text is an error.
        if (next === ~EOS) step = WRONG;
        else if (next < 0) step = EMITS | ~next;
        node = Math.max(next, 0);
      }
      STEPS[state * 16 + nibble] = step === WRONG ? WRONG : step | (node << STATE_SHIFT);
    }
  }
  // A text may end within up to seven bits of EOS, which are ones.
  const ENDS = new Uint8Array(children.length);
  for (let node = 0, bits = 0; bits < 8; bits++, node = children[node]?.[1] as number) {
    ENDS[node] = 1;
  }
  return { STEPS, ENDS };
}

function buildTree(): readonly (readonly [number, number])[] {
  const children: [number, number][] = [[0, 0]];
  const symbols = LENGTHS.map((_, symbol) => symbol).toSorted(
    (one, other) => (LENGTHS[one] as number) - (LENGTHS[other] as number) || one - other,
  );
  let code = 0;
  let length = 0;
  for (const symbol of symbols) {
    const bits = LENGTHS[symbol] as number;
    code *= 2 ** (bits - length);
    length = bits;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const pair = children[node] as [number, number];
      const side = (code >> bit) & 1;
      if (pair[side] === 0) pair[side] = children.push([0, 0]) - 1;
      node = pair[side] as number;
    }
    (children[node] as [number, number])[code & 1] = ~symbol;
    code++;
  }
  return children;
}
