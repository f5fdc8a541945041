export { chainBlocks, digest } from "./block-chain";
export { factsAt, scanBody } from "./scan-body";

/** First address that the module itself does not use. */
export function freeFrom(): usize {
  return __heap_base;
}
