import { REQUEST_WASM } from "./request-wasm.ts";

/** Functions of `wasm/request.ts`; addresses are offsets into `memory`. */
export interface RequestExports {
  readonly memory: WasmMemory;
  chainBlocks(
    at: number,
    blocks: number,
    blockBytes: number,
    seedLo: number,
    seedHi: number,
    hashes: number,
  ): void;
  digest(at: number, length: number, hash: number): void;
  scanBody(body: number, length: number, kind: number, prompt: number): number;
  factsAt(): number;
  /** First address that the module itself does not use. */
  freeFrom(): number;
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Detaches `buffer`. */
  grow(pages: number): number;
}

// TypeScript declares this global with the DOM only; the name of the object is JavaScript's.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const PAGE_BYTES = 65_536;

/** An instance with memory of its own; whoever has it uses all of it from `freeFrom` on. */
export function createRequestInstance(): RequestExports {
  const binary = Uint8Array.from(atob(REQUEST_WASM), (char) => char.charCodeAt(0));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  // The module is compiled from our own sources, and a test compares the two.
  return exports as RequestExports;
}

/** Makes the memory at least `sizeBytes` long. */
export function growMemory(memory: WasmMemory, sizeBytes: number): void {
  const missing = sizeBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
