import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type PeerProcess, spawnBeside } from "./peer-process.ts";

/** One kind of load. */
export interface RelayCase {
  readonly name: string;
  /** `unary` counts answers, the others events of streams. */
  readonly kind: "unary" | "paced" | "burst";
  readonly path: string;
  readonly bodyKilobytes: number;
  readonly connections: number;
}

/** 1 to 512 KB of JSON, and streams at their pace and as fast as they go. */
export const RELAY_CASES: readonly RelayCase[] = [
  ...[1, 16, 220, 512].map((kilobytes) => ({
    name: `json-${kilobytes}k`,
    kind: "unary" as const,
    path: "/v1/chat/completions",
    bodyKilobytes: kilobytes,
    connections: kilobytes < 100 ? 32 : 8,
  })),
  {
    name: "sse-2000x20",
    kind: "paced",
    path: "/v1/stream/paced",
    bodyKilobytes: 1,
    connections: 2000,
  },
  {
    name: "sse-flat-out",
    kind: "burst",
    path: "/v1/stream/burst",
    bodyKilobytes: 1,
    connections: 200,
  },
];

/** What one run of load saw of one peer. */
export interface RelaySample {
  /** Answers, or events, in a second of the peer's CPU time. */
  readonly perCoreSecond: number;
  /** CPU microseconds of the peer for one answer or event. */
  readonly costUs: number;
  /** Share of its core that the peer used. */
  readonly core: number;
  /** Share that the load generator used; near 1 it is the limit. */
  readonly loadCore: number;
  readonly perSecond: number;
  /** Of answers, or of the age of events. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly failed: number;
}

interface LoadReport {
  readonly seconds: number;
  readonly answers: number;
  readonly failed: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly chunks: number;
  readonly chunkP50Us: number;
  readonly chunkP99Us: number;
  readonly loadCore: number;
}

/** How long one run lasts. */
export interface RunLength {
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** A chat request of about so many kilobytes; full of what has to be escaped in JSON. */
export function writeBody(folder: string, kilobytes: number): string {
  const file = join(folder, `body-${kilobytes}k.json`);
  let content = "";
  for (let i = 0; content.length < kilobytes * 1024 - 100; i++) content += `word ${i} of 'it'.\n`;
  const messages = [{ role: "user", content }];
  writeFileSync(file, JSON.stringify({ model: "m", messages }));
  return file;
}

/** Puts one case's load on one peer. */
export async function measure(
  load: string,
  peer: PeerProcess,
  under: { readonly relayCase: RelayCase; readonly body: string; readonly run: RunLength },
): Promise<RelaySample> {
  const { relayCase, body, run } = under;
  const { path, connections, kind } = relayCase;
  const args = [peer.port, path, body, connections, run.warmupSeconds, run.seconds].map(String);
  const child = spawnBeside([load, ...args]);
  let cpuBefore = 0;
  let text = "";
  if (child.stdout === null) throw new Error("the load generator has no output");
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "warm") cpuBefore = peer.cpuSeconds();
    else text = line;
  });
  const [code] = await once(child, "close");
  const cpuSeconds = peer.cpuSeconds() - cpuBefore;
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  const report = JSON.parse(text) as LoadReport;
  const isUnary = kind === "unary";
  const count = isUnary ? report.answers : report.chunks;
  return {
    perCoreSecond: count / cpuSeconds,
    costUs: (cpuSeconds / count) * 1e6,
    core: cpuSeconds / report.seconds,
    loadCore: report.loadCore,
    perSecond: count / report.seconds,
    p50Us: isUnary ? report.p50Us : report.chunkP50Us,
    p99Us: isUnary ? report.p99Us : report.chunkP99Us,
    failed: report.failed,
  };
}
