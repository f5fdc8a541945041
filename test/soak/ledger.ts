/** How a request ended for its client. */
export type ClientEnd =
  | { readonly kind: "answered"; readonly status: number }
  /** It left on purpose. */
  | { readonly kind: "left" }
  /** The connection ended before the answer had. */
  | { readonly kind: "cut" };

/** What the soak reads of an access-log line. */
export interface RequestLine {
  readonly requestId: string;
  readonly status: number;
  readonly how: string;
}

interface Entry {
  end?: ClientEnd;
  line?: RequestLine;
}

const FAULTS_KEPT = 20;

/** Both sides of every request; forgets one once they agree. */
export class Ledger {
  readonly #open = new Map<string, Entry>();
  readonly #counts = new Map<string, number>();
  readonly faults: string[] = [];
  faultCount = 0;

  /** Requests of which one side is not known yet. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Requests by how they ended in the access log, and what else was counted. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  sent(id: string): void {
    this.#open.set(id, {});
    this.count("sent");
  }

  ended(id: string, end: ClientEnd): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    if (entry.end !== undefined) this.fault(`${id} ended twice`);
    entry.end = end;
    this.#settle(id, entry);
  }

  logged(line: RequestLine): void {
    const entry = this.#open.get(line.requestId);
    if (entry === undefined || entry.line !== undefined) {
      this.fault(`${line.requestId}: a line in the access log without a request`);
      return;
    }
    entry.line = line;
    this.count(`logged ${line.how}`);
    this.#settle(line.requestId, entry);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  fault(what: string): void {
    this.faultCount++;
    if (this.faults.length < FAULTS_KEPT) this.faults.push(what);
  }

  /** Says of each request that is left over which side is missing. */
  close(): void {
    for (const [id, { end, line }] of this.#open) {
      if (end === undefined) this.fault(`${id}: no end for its client`);
      if (line === undefined) this.fault(`${id}: no line in the access log`);
    }
    this.#open.clear();
  }

  #settle(id: string, { end, line }: Entry): void {
    if (end === undefined || line === undefined) return;
    this.#open.delete(id);
    if (end.kind === "answered" && end.status !== line.status) {
      this.fault(`${id}: answered ${end.status}, logged ${line.status} ${line.how}`);
    }
    if (end.kind === "cut" && (line.how === "completed" || line.how === "client-left")) {
      this.fault(`${id}: cut off, logged ${line.how}`);
    }
  }
}
