/** Running FNV-1a of 64 bits; two words, because BigInt is some hundred times slower. */
export class Fnv64 {
  lo: number = OFFSET_LO;
  hi: number = OFFSET_HI;

  reset(): void {
    this.lo = OFFSET_LO;
    this.hi = OFFSET_HI;
  }

  byte(value: number): void {
    const lo = (this.lo ^ value) >>> 0;
    // The prime is 2^40 + 435, so the product is (h << 40) + 435 h; both parts stay below 2^53.
    const product = lo * PRIME_LOW;
    this.hi = (this.hi * PRIME_LOW + Math.floor(product / WORD) + ((lo << 8) >>> 0)) >>> 0;
    this.lo = product >>> 0;
  }

  bytes(values: Uint8Array): void {
    for (let at = 0; at < values.length; at++) this.byte(values[at] as number);
  }
}

const OFFSET_LO = 0x84222325;
const OFFSET_HI = 0xcbf29ce4;
const PRIME_LOW = 0x1b3;
const WORD = 4294967296;
