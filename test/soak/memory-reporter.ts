// Loaded into the router before its program: tells its parent what memory a collection leaves.
import process from "node:process";

process.on("message", () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ rss, heapUsed });
});
process.on("disconnect", () => process.exit(1));
// The program ends as it does without a parent that listens.
process.channel?.unref();
