import { isRecord } from "../request/prompt-bytes.ts";

type Schema = Readonly<Record<string, unknown>>;

/**
 * The developer's section of tools, as harmony writes it: functions as TypeScript types (openai/harmony,
 * `template_tools_section`). Undefined for tools that are no functions with a description.
 */
export function toolsSection(tools: readonly unknown[]): string | undefined {
  const types: string[] = [];
  for (const tool of tools) {
    const called = isRecord(tool) && tool["type"] === "function" ? tool["function"] : undefined;
    if (!isRecord(called)) return undefined;
    const { name, description, parameters } = called;
    if (typeof name !== "string" || typeof description !== "string") return undefined;
    const taken = isRecord(parameters) ? `_: ${typeOf(parameters, "")}` : "";
    types.push(...linesOf(description).map((line) => `// ${line}`));
    types.push(`type ${name} = (${taken}) => any;\n`);
  }
  const lines = ["## functions\n", "namespace functions {\n", ...types, "} // namespace functions"];
  return `# Tools\n\n${lines.join("\n")}`;
}

/** Lines as Rust's `lines` gives them: none of an empty text, and none after the last line end. */
function linesOf(text: string): readonly string[] {
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

/** A JSON schema as a TypeScript type (`json_schema_to_typescript`). */
function typeOf(schema: unknown, indent: string): string {
  if (!isRecord(schema)) return "any";
  const { oneOf, type } = schema;
  if (Array.isArray(oneOf)) return oneOf.map((variant) => alternative(variant, indent)).join("");
  if (Array.isArray(type) && type.length > 0) {
    return type.map((name) => (name === "integer" ? "number" : String(name))).join(" | ");
  }
  switch (type) {
    case "object":
      return objectType(schema, indent);
    case "string":
      return enumOf(schema)?.join(" | ") ?? "string";
    case "number":
    case "integer":
      return "number";
    case "boolean":
      return "boolean";
    case "array":
      return "items" in schema ? `${typeOf(schema["items"], indent)}[]` : "Array<any>";
    default:
      return "any";
  }
}

function alternative(variant: unknown, indent: string): string {
  const known = isRecord(variant) ? variant : {};
  const { description } = known;
  const remarks = [
    ...(typeof description === "string" ? [description] : []),
    ...("default" in known ? [`default: ${JSON.stringify(known["default"])}`] : []),
  ];
  return `\n${indent} | ${nullableType(variant, `${indent}   `)}${trailing(remarks)}`;
}

function objectType(schema: Schema, indent: string): string {
  const { description, properties, required } = schema;
  const head = typeof description === "string" ? `${indent}// ${description}\n` : "";
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const members = Object.entries(isRecord(properties) ? properties : {}).map(([key, value]) => {
    const mark = needed.includes(key) ? "" : "?";
    return property(`${key}${mark}`, isRecord(value) ? value : {}, indent);
  });
  return `${head}{\n${members.join("")}${indent}}`;
}

function property(key: string, value: Schema, indent: string): string {
  const { title, description, examples, oneOf } = value;
  const remarks: string[] = [];
  if (typeof title === "string") remarks.push(title, "");
  if (typeof description === "string" && oneOf === undefined) remarks.push(description);
  if (Array.isArray(examples) && examples.length > 0) {
    const shown = examples.filter((example) => typeof example === "string");
    remarks.push("Examples:", ...shown.map((example) => `- "${example}"`));
  }
  // A remark without text has no space behind its slashes.
  const head = remarks.map((remark) => `${indent}${`// ${remark}`.trimEnd()}\n`).join("");
  if (Array.isArray(oneOf)) return head + unionProperty(key, value, oneOf, indent);
  const type = nullableType(value, `${indent}    `);
  return `${head}${indent}${key}: ${type},${trailing(defaultOf(value))}\n`;
}

function unionProperty(
  key: string,
  value: Schema,
  variants: readonly unknown[],
  indent: string,
): string {
  const { description } = value;
  const [first] = variants;
  const isAbove =
    typeof description === "string" && !(isRecord(first) && first["description"] === description);
  const above = [...(isAbove ? [description] : []), ...defaultOf(value)];
  const types = variants.map((variant, at) => {
    const known = isRecord(variant) ? variant : {};
    const own = known["description"];
    const isTold = typeof own === "string" && own !== description && !(at === 0 && isAbove);
    const remarks = [...(isTold ? [own] : []), ...defaultOf(known)];
    return `${indent} | ${nullableType(variant, `${indent}   `)}${trailing(remarks)}\n`;
  });
  const head = above.map((remark) => `${indent}// ${remark}\n`).join("");
  return `${head}${indent}${key}:\n${types.join("")}${indent},\n`;
}

function nullableType(schema: unknown, indent: string): string {
  const type = typeOf(schema, indent);
  const isNullable = isRecord(schema) && schema["nullable"] === true && !type.includes("null");
  return isNullable ? `${type} | null` : type;
}

/** The value of an enum stands without quotes. */
function defaultOf(schema: Schema): readonly string[] {
  if (!("default" in schema)) return [];
  const value = schema["default"];
  const isBare = typeof value === "string" && Array.isArray(schema["enum"]);
  return [`default: ${isBare ? value : JSON.stringify(value)}`];
}

function enumOf({ enum: values }: Schema): readonly string[] | undefined {
  const texts = Array.isArray(values) ? values.filter((value) => typeof value === "string") : [];
  return texts.length === 0 ? undefined : texts.map((text) => `"${text}"`);
}

function trailing(remarks: readonly string[]): string {
  return remarks.length === 0 ? "" : ` // ${remarks.join(" ")}`;
}
