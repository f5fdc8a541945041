import assert from "node:assert/strict";
import test from "node:test";
import { toolsSection } from "./harmony-tools.ts";

const format = { type: "string", enum: ["celsius", "fahrenheit"], default: "celsius" };

function tool(name: string, description: string, parameters?: object): object {
  const more = parameters === undefined ? {} : { parameters };
  return { type: "function", function: { name, description, ...more } };
}

/** The example of openai/harmony, `docs/format.md`. */
const EXAMPLE = `# Tools

## functions

namespace functions {

// Gets the location of the user.
type get_location = () => any;

// Gets the current weather in the provided location.
type get_current_weather = (_: {
// The city and state, e.g. San Francisco, CA
location: string,
format?: "celsius" | "fahrenheit", // default: celsius
}) => any;

// Gets the current weather in the provided list of locations.
type get_multiple_weathers = (_: {
// List of city and state, e.g. ["San Francisco, CA", "New York, NY"]
locations: string[],
format?: "celsius" | "fahrenheit", // default: celsius
}) => any;

} // namespace functions`;

test("harmony-tools: the example of the format's own page", () => {
  const section = toolsSection([
    tool("get_location", "Gets the location of the user."),
    tool("get_current_weather", "Gets the current weather in the provided location.", {
      type: "object",
      properties: {
        location: { type: "string", description: "The city and state, e.g. San Francisco, CA" },
        format,
      },
      required: ["location"],
    }),
    tool("get_multiple_weathers", "Gets the current weather in the provided list of locations.", {
      type: "object",
      properties: {
        locations: {
          type: "array",
          items: { type: "string" },
          description: 'List of city and state, e.g. ["San Francisco, CA", "New York, NY"]',
        },
        format,
      },
      required: ["locations"],
    }),
  ]);
  assert.equal(section, EXAMPLE);
});

/** Each is one property `p`, not required, and its lines. */
const properties: readonly [schema: object, lines: string][] = [
  [{ type: "integer", default: 3 }, "p?: number, // default: 3"],
  [{ type: ["integer", "null"] }, "p?: number | null,"],
  [{ type: "boolean", nullable: true }, "p?: boolean | null,"],
  [{ type: "array" }, "p?: Array<any>,"],
  [{}, "p?: any,"],
  [{ type: "string", default: "a" }, 'p?: string, // default: "a"'],
  [
    { type: "string", title: "Name", examples: ["a", "b"] },
    '// Name\n//\n// Examples:\n// - "a"\n// - "b"\np?: string,',
  ],
  [
    { type: "object", description: "Where", properties: { x: { type: "number" } } },
    "// Where\np?:     // Where\n{\n    x?: number,\n    },",
  ],
  [
    {
      description: "Either",
      default: "x",
      oneOf: [
        { type: "string", default: "a", description: "Text" },
        { type: "number", description: "Count", nullable: true },
      ],
    },
    '// Either\n// default: "x"\np?:\n | string // default: "a"\n | number | null // Count\n,',
  ],
];
for (const [schema, lines] of properties) {
  test(`harmony-tools: ${JSON.stringify(schema)}`, () => {
    const section = toolsSection([tool("f", "", { type: "object", properties: { p: schema } })]);
    const want = `type f = (_: {\n${lines}\n}) => any;\n\n} // namespace functions`;
    assert.equal(section?.slice(section.indexOf("type f")), want);
  });
}

test("harmony-tools: what is no described function is not rendered", () => {
  for (const broken of [{}, { type: "function" }, { type: "function", function: { name: "f" } }]) {
    assert.equal(toolsSection([broken]), undefined);
  }
});
