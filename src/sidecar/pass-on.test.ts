import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { noLog } from "../core/log.ts";
import { DEFAULT_LEGS_SETTINGS } from "../dispatch/legs/legs-settings.ts";
import { startSidecar } from "./start-sidecar.ts";

const UPLOAD = "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";

/**
 * A client with an upload under way to an engine that does what the test says on its first bytes.
 */
async function uploadTo(
  onFirstBytes: (socket: Socket) => void,
  run: (client: Socket, engineSocket: Promise<Socket>) => Promise<void>,
): Promise<void> {
  const accepted = Promise.withResolvers<Socket>();
  const engine = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      accepted.resolve(socket);
      onFirstBytes(socket);
    });
  });
  engine.listen(0, "127.0.0.1");
  await once(engine, "listening");
  const sidecar = await startSidecar({
    host: "127.0.0.1",
    port: 0,
    engine: { host: "127.0.0.1", port: (engine.address() as AddressInfo).port },
    legs: DEFAULT_LEGS_SETTINGS,
    clock: { nowMs: () => 0 },
    timeScale: 1,
    log: noLog,
  });
  const client = connect(Number(sidecar.address.split(":")[1]), "127.0.0.1");
  client.on("error", () => undefined);
  client.write(`${UPLOAD}first bytes`);
  await run(client, accepted.promise);
  client.destroy();
  await sidecar.close();
  (await accepted.promise).destroy();
  await new Promise((resolve) => engine.close(resolve));
}

test("pass-on: an answer that ends before the upload reaches the client whole", async () => {
  const size = 16 * 1024 * 1024;
  const answer = (socket: Socket): void => {
    socket.write(`HTTP/1.1 413 No\r\ncontent-length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, 0x61));
  };
  await uploadTo(answer, async (client) => {
    let received = 0;
    while (received < size) {
      const [part] = (await once(client, "data", {
        signal: AbortSignal.timeout(10_000),
      })) as [Buffer];
      received += part.length;
    }
    assert.ok(received > size);
  });
});

test("pass-on: a client that leaves within its upload ends the engine's request", async () => {
  await uploadTo(
    () => undefined,
    async (client, engineSocket) => {
      const socket = await engineSocket;
      const closed = once(socket, "close");
      client.destroy();
      await closed;
    },
  );
});
