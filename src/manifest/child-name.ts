import { md5Hex } from "./md5.ts";

/** Longest name of a Kubernetes object that is used as a label (RFC 1123). */
const MAX_NAME_LENGTH = 63;
const MD5_LENGTH = 32;
/** What a name may keep of its parent beside a digest. */
const MAX_HEAD_LENGTH = MAX_NAME_LENGTH - MD5_LENGTH;

/** Name of an object that belongs to `parent`, as knative `kmeta.ChildName` makes it. */
export function childName(parent: string, suffix: string): string {
  return joined(parent, suffix).replace(/[^a-zA-Z0-9]+$/, "");
}

function joined(parent: string, suffix: string): string {
  if (parent.length + suffix.length <= MAX_NAME_LENGTH) return parent + suffix;
  if (suffix.length < MAX_HEAD_LENGTH) {
    return parent.slice(0, MAX_HEAD_LENGTH - suffix.length) + md5Hex(parent) + suffix;
  }
  const head = parent.slice(0, MAX_HEAD_LENGTH) + md5Hex(parent + suffix);
  return head + suffix.slice(0, MAX_NAME_LENGTH - head.length);
}
