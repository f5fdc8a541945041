import { ConfigError } from "../../core/config-error.ts";
import type { Arrival } from "./workload.ts";

/** Where a trace is read from: its lines, and its name for messages. */
export interface TraceSource {
  readonly file: string;
  readonly lines: Iterable<string> | AsyncIterable<string>;
  /** Sorts by time, which keeps the whole trace in memory. */
  readonly isSorted: boolean;
}

/** A fault of one line; lines count from 1. */
export function traceFault(file: string, line: number, message: string): ConfigError {
  return new ConfigError([{ path: "", message, position: { file, line, column: 1 } }]);
}

/** Passes arrivals on in time order: checks the order, or sorts when that was asked for. */
export async function* inTimeOrder(
  arrivals: AsyncIterable<Arrival & { readonly line: number }>,
  source: TraceSource,
): AsyncGenerator<Arrival> {
  if (source.isSorted) {
    const all: (Arrival & { readonly line: number })[] = [];
    for await (const arrival of arrivals) all.push(arrival);
    all.sort((one, other) => one.atUs - other.atUs || one.line - other.line);
    const startUs = all[0]?.atUs ?? 0;
    for (const { atUs, request } of all) yield { atUs: atUs - startUs, request };
    return;
  }
  let lastUs = Number.NEGATIVE_INFINITY;
  for await (const arrival of arrivals) {
    if (arrival.atUs < lastUs) {
      const back = (lastUs - arrival.atUs) / 1000;
      const message = `its time is ${back} ms before that of the line above; --sort orders the trace`;
      throw traceFault(source.file, arrival.line, message);
    }
    lastUs = arrival.atUs;
    yield arrival;
  }
}
