import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { SharedLock } from "./shared-lock.ts";

/** A thread that enters the lock and then does as told. */
async function threadInside(buffer: SharedArrayBuffer, then: string): Promise<Worker> {
  const module = new URL("shared-lock.ts", import.meta.url).href;
  const code = `
    import { parentPort, workerData } from "node:worker_threads";
    import { SharedLock } from ${JSON.stringify(module)};
    const lock = new SharedLock(workerData, 2, () => undefined);
    lock.enter();
    parentPort.postMessage("inside");
    ${then}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: buffer,
  });
  await once(worker, "message");
  return worker;
}

/** A lock of this thread and how often it reset what it guards. */
function lockIn(buffer: SharedArrayBuffer) {
  let resets = 0;
  const lock = new SharedLock(buffer, 1, () => {
    resets++;
  });
  return { lock, resets: () => resets };
}

test("shared-lock: a thread waits until the other one has left", async () => {
  const buffer = SharedLock.buffer();
  const { lock, resets } = lockIn(buffer);
  const worker = await threadInside(buffer, "setTimeout(() => lock.leave(), 100);");
  lock.enter();
  lock.leave();
  assert.equal(lock.contendedCount, 1);
  assert.equal(resets(), 0);
  await worker.terminate();
});

test("shared-lock: a thread that is known to have died inside is reset at once", async () => {
  const buffer = SharedLock.buffer();
  const { lock, resets } = lockIn(buffer);
  const worker = await threadInside(buffer, "");
  await worker.terminate();
  assert.equal(lock.threadEnded(3), false);
  assert.equal(resets(), 0);
  assert.equal(lock.threadEnded(2), true);
  assert.equal(resets(), 1);
  lock.enter();
  lock.leave();
  assert.equal(lock.contendedCount, 0);
  assert.equal(lock.threadEnded(2), false);
});

test("shared-lock: a thread that is not known to have died is found out by waiting", async () => {
  const buffer = SharedLock.buffer();
  const { lock, resets } = lockIn(buffer);
  const worker = await threadInside(buffer, "");
  await worker.terminate();
  lock.enter();
  assert.equal(resets(), 1);
  lock.leave();
  lock.enter();
  lock.leave();
  assert.equal(resets(), 1);
});

test("shared-lock: a thread that was taken for dead and was not makes the next one reset again", () => {
  const buffer = SharedLock.buffer();
  const slow = new SharedLock(buffer, 2, () => undefined);
  const { lock, resets } = lockIn(buffer);
  slow.enter();
  assert.equal(lock.threadEnded(2), true);
  slow.leave();
  assert.equal(resets(), 1);
  lock.enter();
  assert.equal(resets(), 2);
  lock.leave();
});
