import type { HeaderField } from "./header-field.ts";

/** The fields that a header decoder remembers, newest first (RFC 7541 2.3.2). */
export class DynamicTable {
  readonly #ring: (HeaderField | undefined)[];
  #limitBytes: number;
  #sizeBytes = 0;
  #addedCount = 0;
  #count = 0;

  /** `bytesMax` is a power of two, and no limit set later is above it. */
  constructor(bytesMax: number) {
    // A field counts 32 bytes at least.
    this.#ring = new Array<HeaderField | undefined>(bytesMax / 32).fill(undefined);
    this.#limitBytes = bytesMax;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The field that was added as the `age`-th last; 0 is the last. */
  at(age: number): HeaderField | undefined {
    return age < this.#count ? this.#ring[this.#slot(age)] : undefined;
  }

  /** A field that is larger than the table empties it. */
  add(field: HeaderField): void {
    this.#evict(this.#limitBytes - field.sizeBytes);
    if (field.sizeBytes > this.#limitBytes) return;
    this.#addedCount++;
    this.#count++;
    this.#ring[this.#slot(0)] = field;
    this.#sizeBytes += field.sizeBytes;
  }

  limit(bytes: number): void {
    this.#limitBytes = bytes;
    this.#evict(bytes);
  }

  #evict(bytes: number): void {
    while (this.#count > 0 && this.#sizeBytes > bytes) {
      const slot = this.#slot(this.#count - 1);
      this.#sizeBytes -= this.#ring[slot]?.sizeBytes ?? 0;
      this.#ring[slot] = undefined;
      this.#count--;
    }
  }

  #slot(age: number): number {
    return (this.#addedCount - 1 - age) & (this.#ring.length - 1);
  }
}
