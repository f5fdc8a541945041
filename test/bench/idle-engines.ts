// Engines that do nothing but answer the router's background requests, for test/bench/idle.ts.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";

const count = Number(process.argv[2]);
const exposition = vllmExposition();
const models = JSON.stringify({ object: "list", data: [{ id: "m", object: "model" }] });

const addresses: string[] = [];
for (let i = 0; i < count; i++) {
  const server = createServer((request, response) => {
    const body = request.url === "/metrics" ? exposition : request.url === "/health" ? "" : models;
    response.writeHead(200, { "content-length": Buffer.byteLength(body) }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  addresses.push(`127.0.0.1:${(server.address() as AddressInfo).port}`);
}
process.send?.(addresses);
process.once("disconnect", () => process.exit());

/** As much text as a vLLM with one model gives: its gauges and counters, then 25 histograms. */
function vllmExposition(): string {
  const head = readFileSync(new URL("../golden/metrics/vllm-v1.txt", import.meta.url), "utf8");
  const histograms = Array.from({ length: 25 }, (_, family) =>
    Array.from({ length: 22 }, (_, bucket) => {
      const labels = `engine="0",le="${2 ** bucket}.0",model_name="openai/gpt-oss-20b"`;
      return `vllm:histogram_${family}_seconds_bucket{${labels}} ${bucket}.0\n`;
    }).join(""),
  );
  return head + histograms.join("");
}
