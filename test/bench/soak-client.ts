// Clients of `soak.ts`: node soak-client.ts URL FROM TO CONCURRENCY; tells its parent how many failed.
import process from "node:process";

const MODELS = ["openai/gpt-oss-20b", "Qwen/Qwen3-0.6B"];
const [url = "", from = 0, to = 0, concurrency = 1] = process.argv
  .slice(2)
  .map((text, index) => (index === 0 ? text : Number(text))) as [string, number, number, number];

let next = from;
let failed = 0;
await Promise.all(
  Array.from({ length: concurrency }, async () => {
    while (next < to) await one(next++);
  }),
);
process.send?.(failed, () => process.exit(0));

async function one(number: number): Promise<void> {
  const model = MODELS[number % MODELS.length];
  const stream = number % 3 === 0;
  const content = `Group ${number % 50}. ${"The same words again. ".repeat(40)} Question ${number}`;
  const body = { model, messages: [{ role: "user", content }], max_tokens: 20, stream };
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status === 200 && (!stream || text.includes("[DONE]"))) return;
  failed++;
  console.error(`${response.status} ${text.slice(0, 200)}`);
}
