import type { SourceNode } from "../config/source-node.ts";
import { childName } from "./child-name.ts";

/** What templates of a manifest can name. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
}

/** Templates that can be resolved without a cluster. */
export const TEMPLATES = [
  "{{ .ObjectMeta.Name }}",
  "{{ .ObjectMeta.Namespace }}",
  "{{ ChildName .ObjectMeta.Name `-suffix` }}",
] as const;

/**
 * Resolves Go templates as KServe does when it renders a service; `unknown` are those it cannot
 * resolve.
 */
export function resolveTemplates(
  text: string,
  meta: ObjectMeta,
): { readonly text: string; readonly unknown: readonly string[] } {
  const unknown: string[] = [];
  const resolved = text.replace(TEMPLATE, (template: string, expression: string) => {
    const value = template.endsWith("}}") ? evaluate(expression, meta) : undefined;
    if (value === undefined) unknown.push(template);
    return value ?? template;
  });
  return { text: resolved, unknown };
}

/**
 * Reads a string, which may be empty, with its templates resolved; an unknown template is a fault.
 */
export function readTemplated(node: SourceNode, meta: ObjectMeta): string | undefined {
  const written = node.value === "" ? "" : node.text();
  if (written === undefined) return undefined;
  const { text, unknown } = resolveTemplates(written, meta);
  for (const template of unknown) node.fault(`unknown template ${template}`, TEMPLATES);
  return text;
}

/**
 * Go template action, with or without trim marks; an unclosed one runs to the end and is unknown.
 */
const TEMPLATE = /\{\{-?((?:[^}]|\}(?!\}))*)(?:\}\}|$)/g;
const CHILD_NAME = /^ChildName\s+(\S+)\s+(\S+)$/;

function evaluate(expression: string, meta: ObjectMeta): string | undefined {
  const trimmed = expression.replace(/-$/, "").trim();
  const call = CHILD_NAME.exec(trimmed);
  if (call === null) return trimmed.startsWith(".") ? operand(trimmed, meta) : undefined;
  const parent = operand(call[1] ?? "", meta);
  const suffix = operand(call[2] ?? "", meta);
  return parent === undefined || suffix === undefined ? undefined : childName(parent, suffix);
}

function operand(text: string, meta: ObjectMeta): string | undefined {
  if (text === ".ObjectMeta.Name") return meta.name;
  if (text === ".ObjectMeta.Namespace") return meta.namespace;
  return /^(?:`([^`]*)`|"([^"\\]*)")$/
    .exec(text)
    ?.slice(1)
    .find((quoted) => quoted !== undefined);
}
