import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import test from "node:test";

const ROOT = join(import.meta.dirname, "..");
const TOOLS = join(ROOT, "node_modules", ".bin");
const GENERATED = "src/front/extproc/gen";

function filesIn(folder: string): readonly (readonly [name: string, text: string])[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .toSorted()
    .map((name) => [name, readFileSync(join(folder, name), "utf8")] as const);
}

test("protos: what is generated from them is what is checked in", (context) => {
  if (!existsSync(join(TOOLS, "buf"))) return context.skip("buf is not installed");
  const out = mkdtempSync(join(tmpdir(), "switchyard-protos-"));
  try {
    const template = readFileSync(join(ROOT, "protos/buf.gen.yaml"), "utf8");
    const moved = template.replace(`../${GENERATED}`, out);
    assert.notEqual(moved, template);
    const { status, stderr } = spawnSync("buf", ["generate", "--template", moved], {
      cwd: join(ROOT, "protos"),
      env: { ...process.env, PATH: `${TOOLS}${delimiter}${process.env["PATH"]}` },
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(filesIn(join(ROOT, GENERATED)), filesIn(out));
  } finally {
    rmSync(out, { recursive: true });
  }
});
