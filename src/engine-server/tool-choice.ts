import { isRecord } from "../request/prompt-bytes.ts";
import { type ApiFault, badRequest } from "./api-fault.ts";
import type { JsonObject } from "./read-json-body.ts";

/** The tool call that an answer consists of. */
export interface ToolCall {
  readonly name: string;
  /** JSON text with a value for every required parameter. */
  readonly arguments: string;
  /** `required` ends with `tool_calls`; a named function ends as plain text does (vLLM). */
  readonly isRequired: boolean;
}

/** Which tool an answer must call; undefined for plain text. `auto` never calls one here. */
export function readToolChoice(body: JsonObject): ToolCall | ApiFault | undefined {
  const { tool_choice: choice, tools } = body;
  const wanted = isRecord(choice) && isRecord(choice["function"]) ? choice["function"] : undefined;
  if (choice !== "required" && wanted === undefined) return undefined;
  if (!Array.isArray(tools) || tools.length === 0) {
    return badRequest("When using `tool_choice`, `tools` must be set.", "tool_choice");
  }
  const functions = tools.map((tool: unknown) => (isRecord(tool) ? tool["function"] : undefined));
  const called = functions.find(
    (tool) => isRecord(tool) && (wanted === undefined || tool["name"] === wanted["name"]),
  );
  if (!isRecord(called) || typeof called["name"] !== "string") {
    const message =
      "The tool specified in `tool_choice` does not match any of the specified `tools`";
    return badRequest(message, "tool_choice");
  }
  return {
    name: called["name"],
    arguments: JSON.stringify(exampleOf(called["parameters"], 0) ?? {}),
    isRequired: choice === "required",
  };
}

/** Nested deeper than this, a value is empty: schemas may be recursive and come from clients. */
const MAX_DEPTH = 8;

/** A small value of the schema: what is required is there, the rest is not. */
function exampleOf(schema: unknown, depth: number): unknown {
  if (!isRecord(schema) || depth > MAX_DEPTH) return undefined;
  if ("const" in schema) return schema["const"];
  if (Array.isArray(schema["enum"]) && schema["enum"].length > 0) return schema["enum"][0];
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  switch (type) {
    case "string":
      return "text";
    case "number":
    case "integer":
      return typeof schema["minimum"] === "number" ? schema["minimum"] : 1;
    case "boolean":
      return true;
    case "array":
      return [];
    case "null":
      return null;
    default:
      return objectOf(schema, depth);
  }
}

function objectOf(schema: JsonObject, depth: number): JsonObject {
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const entries = required
    .filter((name) => typeof name === "string")
    .map((name) => {
      const value = exampleOf(properties[name], depth + 1);
      // A parameter that the schema requires and does not describe may be anything.
      return [name, value === undefined ? "text" : value] as const;
    });
  return Object.fromEntries(entries);
}
