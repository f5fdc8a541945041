import { FLAG, FRAME_HEAD_BYTES, H2_ERROR, H2Fault } from "./h2-protocol.ts";

/** A whole header block, and where it belongs. */
export interface HeaderSection {
  readonly streamId: number;
  /** Whether the client sends no body after it. */
  readonly isEnd: boolean;
  readonly block: Buffer;
}

/** Bytes of a block with the heads of its frames: what a header list at its limit takes, and more. */
const BLOCK_BYTES_MAX = 128 * 1024;

/** Joins HEADERS with the CONTINUATION frames that follow it (RFC 9113 6.10). */
export class HeaderAssembler {
  #streamId = 0;
  #isEnd = false;
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  /** Whether nothing but CONTINUATION may come. */
  get isInBlock(): boolean {
    return this.#streamId !== 0;
  }

  /** Takes a HEADERS frame's block; gives the section if it is whole. */
  begin(streamId: number, flags: number, block: Buffer): HeaderSection | undefined {
    const isEnd = (flags & FLAG.endStream) !== 0;
    if ((flags & FLAG.endHeaders) !== 0) return { streamId, isEnd, block };
    this.#streamId = streamId;
    this.#isEnd = isEnd;
    this.#parts = [block];
    this.#sizeBytes = block.length;
    return undefined;
  }

  continue(streamId: number, flags: number, block: Buffer): HeaderSection | undefined {
    if (!this.isInBlock || streamId !== this.#streamId) {
      throw new H2Fault(H2_ERROR.protocol, "a CONTINUATION frame out of its place");
    }
    this.#parts.push(block);
    this.#sizeBytes += block.length + FRAME_HEAD_BYTES;
    if (this.#sizeBytes > BLOCK_BYTES_MAX) {
      throw new H2Fault(H2_ERROR.enhanceYourCalm, "a header block that is too long");
    }
    if ((flags & FLAG.endHeaders) === 0) return undefined;
    const section = { streamId, isEnd: this.#isEnd, block: Buffer.concat(this.#parts) };
    this.#streamId = 0;
    this.#parts = [];
    return section;
  }
}
