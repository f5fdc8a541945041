import type { JsonMembers } from "./json-members.ts";

/**
 * Replaces `bytes[start, end)` of a received body by `text`; the spans of a list ascend and do not
 * overlap.
 */
export interface SpanEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The bytes with the edits applied; bytes outside the spans are kept as they came. */
export function applyEdits(bytes: Uint8Array, edits: readonly SpanEdit[]): Uint8Array {
  const texts = edits.map((edit) => new TextEncoder().encode(edit.text));
  let length = bytes.length;
  edits.forEach((edit, i) => {
    length += (texts[i]?.length ?? 0) - (edit.end - edit.start);
  });
  const edited = new Uint8Array(length);
  let from = 0;
  let to = 0;
  edits.forEach((edit, i) => {
    edited.set(bytes.subarray(from, edit.start), to);
    to += edit.start - from;
    const text = texts[i];
    if (text !== undefined) edited.set(text, to);
    to += text?.length ?? 0;
    from = edit.end;
  });
  edited.set(bytes.subarray(from), to);
  return edited;
}

/**
 * Edits that give members of one object other values. `changes` maps a key to the JSON text of its
 * value, or to undefined to remove it. A key that is missing is added at the end; of duplicates
 * one is left.
 */
export function editMembers(
  object: JsonMembers,
  changes: ReadonlyMap<string, string | undefined>,
): SpanEdit[] {
  const { members } = object;
  const lastIndexes = new Map(members.map((member, i) => [member.key, i]));
  const edits: SpanEdit[] = [];
  let hasSurvivor = false;
  members.forEach((member, i) => {
    const text = changes.get(member.key);
    if (!changes.has(member.key)) {
      hasSurvivor = true;
    } else if (text !== undefined && lastIndexes.get(member.key) === i) {
      hasSurvivor = true;
      edits.push({ start: member.valueStart, end: member.valueEnd, text });
    } else {
      // One comma goes with the member: the one before it, or the one after it while nothing stands
      // before.
      const start = hasSurvivor ? (members[i - 1]?.valueEnd ?? member.keyStart) : member.keyStart;
      const end = hasSurvivor ? member.valueEnd : (members[i + 1]?.keyStart ?? member.valueEnd);
      edits.push({ start, end, text: "" });
    }
  });
  const added = [...changes].flatMap(([key, text]) =>
    text === undefined || lastIndexes.has(key) ? [] : [`${JSON.stringify(key)}:${text}`],
  );
  if (added.length > 0) {
    const at = members.at(-1)?.valueEnd ?? object.start + 1;
    edits.push({ start: at, end: at, text: (hasSurvivor ? "," : "") + added.join(",") });
  }
  return edits;
}
