import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import { EndpointSet } from "../discovery/endpoint-set.ts";
import { parseEndpointsFile } from "../discovery/endpoints-file.ts";
import { HostResolver, hasHostNames, type LookUp } from "../discovery/resolve-hosts.ts";
import type { EndpointSpec } from "../endpoints/endpoint-table.ts";
import type { EndpointFeed, FeedPorts } from "./endpoint-feed.ts";
import { FileReload, type FileSource } from "./file-reload.ts";

/** An endpoints file as it was first read. */
export interface EndpointsFile extends FileSource<readonly EndpointSpec[]> {
  readonly endpoints: readonly EndpointSpec[];
}

/** Names are looked up again this often; name servers give no notice of a change. */
const LOOK_UP_EVERY_MS = 30_000;

/** Reads an endpoints file; throws ConfigError. */
export function openEndpointsFile(source: { text: string; file: string }): EndpointsFile {
  const load = (text: string): readonly EndpointSpec[] =>
    parseEndpointsFile({ text, file: source.file });
  return { ...source, load, endpoints: load(source.text) };
}

/** The endpoints of a file, which is followed; where wanted by the IP addresses of its host names. */
export class FileFeed implements EndpointFeed {
  readonly #file: EndpointsFile;
  readonly #resolver: HostResolver | undefined;
  readonly #known = new EndpointSet();
  #listed: readonly EndpointSpec[];
  #reload: FileReload<readonly EndpointSpec[]> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ports: FeedPorts | undefined;
  /** Look-ups so far: the answer to an earlier one is of an earlier list. */
  #lookUps = 0;
  #unresolved: readonly string[] = [];

  constructor(file: EndpointsFile, options: { isResolving: boolean; lookUp?: LookUp }) {
    this.#file = file;
    this.#listed = file.endpoints;
    this.#resolver = options.isResolving ? new HostResolver(options.lookUp) : undefined;
  }

  start(ports: FeedPorts): void {
    this.#ports = ports;
    const { log, meter } = ports;
    const apply = (endpoints: readonly EndpointSpec[]): void => {
      this.#listed = endpoints;
      this.#take();
    };
    this.#reload = new FileReload({ source: this.#file, noun: "endpoints", apply, log, meter });
    if (this.#resolver !== undefined) {
      this.#timer = setInterval(() => {
        if (hasHostNames(this.#listed)) this.#take();
      }, LOOK_UP_EVERY_MS);
    }
    this.#take();
  }

  isSynced(): boolean {
    return true;
  }

  describe(): Json {
    return {
      file: this.#file.file,
      lastReload: this.#reload?.last ?? null,
      unreadable: this.#reload?.unreadable ?? null,
      unresolved: this.#unresolved,
    };
  }

  async close(): Promise<void> {
    this.#reload?.close();
    clearInterval(this.#timer);
    this.#ports = undefined;
  }

  #take(): void {
    const lookUp = ++this.#lookUps;
    const listed = this.#listed;
    if (this.#resolver === undefined || !hasHostNames(listed)) {
      this.#unresolved = [];
      this.#ports?.endpoints(this.#known.replace(listed));
      return;
    }
    void this.#resolver.resolve(listed).then(({ endpoints, unresolved }) => {
      if (lookUp !== this.#lookUps || this.#ports === undefined) return;
      this.#tellUnresolved(unresolved, this.#ports.log);
      this.#ports.endpoints(this.#known.replace(endpoints));
    });
  }

  /** Each host once, until it resolves again. */
  #tellUnresolved(hosts: readonly string[], log: Log): void {
    for (const host of hosts) {
      if (!this.#unresolved.includes(host)) log.warn("host-unresolved", { host });
    }
    this.#unresolved = hosts;
  }
}
