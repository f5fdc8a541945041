import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import test from "node:test";
import { RecordedRun } from "../../test/fixtures/recorded-run.ts";
import { recordingLog } from "../../test/fixtures/recording-ports.ts";
import { ConfigError } from "../core/config-error.ts";
import type { RecordedInput, RecordingHeader } from "../director/recorded-line.ts";
import { openRecording, Recording } from "./recording.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
const header = JSON.parse(
  new RecordedRun(
    "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins: [{type: queue-scorer}]",
  ).lines()[0] ?? "",
) as RecordingHeader;
const tick: RecordedInput = { kind: "tick", pool: "pool", atMs: 1 };

/** A disk that takes what it is given only when told to. */
class SlowDisk extends Writable {
  text = "";
  #waiting: (() => void) | undefined;
  #isFree = false;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    if (this.#isFree) done();
    else this.#waiting = done;
  }

  free(): void {
    this.#isFree = true;
    this.#waiting?.();
  }
}

test("recording: the file is its owner's alone and holds every line, the last tells how many", async () => {
  const file = join(folder, "whole.jsonl");
  const log = recordingLog();
  const recording = openRecording(file, header, log);
  recording.write(tick);
  await recording.close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  assert.deepEqual(lines, [
    JSON.stringify(header),
    JSON.stringify(tick),
    '{"kind":"closed","lines":2,"lost":0}',
  ]);
  assert.deepEqual(
    log.lines.map(({ event }) => event),
    ["recording-closed"],
  );
});

test("recording: a file that exists is refused and stays as it was", () => {
  const file = join(folder, "taken.jsonl");
  writeFileSync(file, "mine");
  assert.throws(
    () => openRecording(file, header, recordingLog()),
    (error) => error instanceof ConfigError && /exists already/.test(error.message),
  );
  assert.equal(readFileSync(file, "utf8"), "mine");
});

test("recording: a folder that is not there is told", () => {
  const file = join(folder, "nowhere", "run.jsonl");
  assert.throws(() => openRecording(file, header, recordingLog()), /cannot create .*ENOENT/);
});

test("recording: a slow disk costs lines, which file and log tell", async () => {
  const disk = new SlowDisk();
  const log = recordingLog();
  const lineBytes = JSON.stringify(tick).length + 1;
  const recording = new Recording(disk, { file: "slow", log, bufferBytesMax: 2 * lineBytes });
  for (let count = 0; count < 7; count++) recording.write(tick);
  assert.equal(recording.lostCount, 5);
  assert.ok(disk.writableLength <= 2 * lineBytes);
  disk.free();
  await new Promise<void>((resolve) => disk.write("", () => resolve()));
  recording.write(tick);
  await recording.close();
  const line = JSON.stringify(tick);
  assert.deepEqual(disk.text.trimEnd().split("\n"), [
    line,
    line,
    '{"kind":"lost","count":5}',
    line,
    '{"kind":"closed","lines":3,"lost":5}',
  ]);
  assert.deepEqual(
    log.lines.map(({ event }) => event),
    ["recording-lines-lost", "recording-incomplete"],
  );
});

test("recording: a full disk ends the recording, and nothing else", async () => {
  const log = recordingLog();
  const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error("ENOSPC")) });
  const recording = new Recording(full, { file: "full", log });
  recording.write(tick);
  await new Promise((resolve) => full.once("close", resolve));
  recording.write(tick);
  recording.write(tick);
  await recording.close();
  assert.equal(recording.lostCount, 2);
  assert.deepEqual(
    log.lines.map(({ event }) => event),
    ["recording-failed", "recording-lines-lost", "recording-incomplete"],
  );
});

test("recording: that of a router which never started leaves no file", async () => {
  const file = join(folder, "discarded.jsonl");
  await openRecording(file, header, recordingLog()).discard();
  assert.equal(statSync(file, { throwIfNoEntry: false }), undefined);
});
