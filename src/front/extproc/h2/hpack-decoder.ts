import { DynamicTable } from "./dynamic-table.ts";
import { H2_ERROR, H2Fault } from "./h2-protocol.ts";
import { type HeaderField, headerField, STATIC_TABLE } from "./header-field.ts";
import { huffmanText } from "./huffman.ts";

/** Bytes of the dynamic table: the protocol's own default, so that no setting is sent for it. */
export const TABLE_BYTES_MAX = 4096;

/** Decodes the header blocks of one connection, in the order in which they came (RFC 7541). */
export class HpackDecoder {
  readonly #table = new DynamicTable(TABLE_BYTES_MAX);
  #block: Buffer = NO_BYTES;
  #at = 0;

  /** Hands out the fields of a block; throws H2Fault, after which the connection is of no more use. */
  decode(block: Buffer, take: (field: HeaderField) => void): void {
    this.#block = block;
    this.#at = 0;
    this.#readLimits();
    while (this.#at < block.length) take(this.#field());
    this.#block = NO_BYTES;
  }

  /** Changes of the table's limit stand at the beginning of a block only. */
  #readLimits(): void {
    while (((this.#block[this.#at] ?? 0) & 0xe0) === 0x20) {
      const bytes = this.#integer(5);
      if (bytes > TABLE_BYTES_MAX) throw wrong("a table larger than was offered");
      this.#table.limit(bytes);
    }
  }

  #field(): HeaderField {
    const first = this.#block[this.#at] as number;
    if (first >= 0x80) return this.#indexed(this.#integer(7));
    if (first >= 0x40) {
      const field = this.#literal(6);
      this.#table.add(field);
      return field;
    }
    if (first >= 0x20) throw wrong("a table limit within a block");
    // Without indexing, or never indexed: the difference counts for those who pass it on.
    return this.#literal(4);
  }

  #indexed(index: number): HeaderField {
    const field =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#table.at(index - STATIC_TABLE.length - 1);
    if (field === undefined) throw wrong("an index that is not in the tables");
    return field;
  }

  #literal(prefixBits: number): HeaderField {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#text() : this.#indexed(index).name;
    return headerField(name, this.#text());
  }

  #text(): string {
    const isHuffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    const to = from + length;
    if (to > this.#block.length) throw wrong("a text that is cut off");
    this.#at = to;
    if (!isHuffman) return this.#block.toString("latin1", from, to);
    const text = huffmanText(this.#block, from, to);
    if (text === undefined) throw wrong("a wrong Huffman code");
    return text;
  }

  #integer(prefixBits: number): number {
    const first = this.#block[this.#at++];
    if (first === undefined) throw wrong("an integer that is cut off");
    const prefixMax = 2 ** prefixBits - 1;
    let value = first & prefixMax;
    if (value < prefixMax) return value;
    // Four bytes more say up to 2^28: above every limit here.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#block[this.#at++];
      if (byte === undefined) throw wrong("an integer that is cut off");
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw wrong("an integer that is too large");
  }
}

const NO_BYTES = Buffer.alloc(0);

function wrong(what: string): H2Fault {
  return new H2Fault(H2_ERROR.compression, `a header block has ${what}`);
}
