export { chainBlocks } from "./block-chain";
