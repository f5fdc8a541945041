import { z } from "zod";
import { KubeFault } from "./kube-fault.ts";

/** What every object has, as far as it is read. */
export interface KubeObject {
  readonly name: string;
  readonly resourceVersion: string;
  /** The whole object, unchecked. */
  readonly content: unknown;
}

/** One page of a list. */
export interface KubeList {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** Asks for the next page; empty on the last one. */
  readonly continueToken: string;
}

/** One line of a watch. */
export type WatchEvent =
  | { readonly kind: "changed" | "removed"; readonly object: KubeObject }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

/** Names of objects and namespaces (RFC 1123 subdomain). */
export const OBJECT_NAME: RegExp =
  /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A version is opaque; only its length is bounded. */
const version = z.string().min(1).max(256);

const named = z.object({
  metadata: z.object({ name: z.string().regex(OBJECT_NAME), resourceVersion: version }),
});

const list = z.object({
  kind: z.string(),
  metadata: z.object({ resourceVersion: version, continue: z.string().max(65_536).default("") }),
  // The API writes an empty list as null where its own type does.
  items: z.array(z.unknown()).nullable(),
});

const event = z.object({ type: z.string(), object: z.object({ kind: z.string() }).loose() });

const bookmark = z.object({ metadata: z.object({ resourceVersion: version }) });

const status = z.object({ code: z.int().optional(), message: z.string().optional() });

/** Reads a page; throws KubeFault for one that is no list. Items without a proper name are left out. */
export function readList(answer: unknown, kind: string, skipped: () => void): KubeList {
  const parsed = list.safeParse(answer);
  if (!parsed.success || parsed.data.kind !== `${kind}List`) {
    throw new KubeFault(`the answer is no ${kind}List`);
  }
  const { metadata, items } = parsed.data;
  return {
    items: (items ?? []).flatMap((item) => {
      const object = readObject(item);
      if (object === undefined) skipped();
      return object ?? [];
    }),
    resourceVersion: metadata.resourceVersion,
    continueToken: metadata.continue,
  };
}

/**
 * Reads a line of a watch. Throws KubeFault for the end that the server gives with ERROR, and for what
 * the protocol does not know: after that, only a list tells what is there.
 */
export function readEvent(line: string, kind: string): WatchEvent {
  const parsed = event.safeParse(fromJson(line));
  if (!parsed.success) throw new KubeFault("an event of the watch is none", { isResync: true });
  const { type, object: content } = parsed.data;
  if (type === "ERROR") throw errorEvent(content);
  if (content.kind !== kind) {
    throw new KubeFault(`an event holds no ${kind}`, { isResync: true });
  }
  if (type === "BOOKMARK") {
    const mark = bookmark.safeParse(content);
    if (!mark.success) throw new KubeFault("a bookmark has no version", { isResync: true });
    return { kind: "bookmark", resourceVersion: mark.data.metadata.resourceVersion };
  }
  const object = readObject(content);
  if (object === undefined) {
    throw new KubeFault("an object of the watch has no name or version", { isResync: true });
  }
  if (type === "ADDED" || type === "MODIFIED") return { kind: "changed", object };
  if (type === "DELETED") return { kind: "removed", object };
  throw new KubeFault("an event of the watch has an unknown type", { isResync: true });
}

function readObject(content: unknown): KubeObject | undefined {
  const parsed = named.safeParse(content);
  return parsed.success ? { ...parsed.data.metadata, content } : undefined;
}

function errorEvent(content: unknown): KubeFault {
  const { code, message } = status.safeParse(content).data ?? {};
  return new KubeFault(`the watch ended: ${message ?? "no reason is given"}`, {
    status: code,
    // 410 above all; what else ends a watch says nothing of whether its version is still good.
    isResync: true,
  });
}

function fromJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
