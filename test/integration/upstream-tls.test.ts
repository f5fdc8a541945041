import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer } from "node:tls";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import type { RouterError } from "../../src/core/router-error.ts";
import { Upstream, type UpstreamTls } from "../../src/dispatch/upstream.ts";
import { eventually } from "../fixtures/eventually.ts";

/** The answer's body, or the fault. */
function ask(
  upstream: Upstream,
  address: string,
  tls: UpstreamTls | undefined,
): Promise<string | RouterError> {
  const { promise, resolve } = Promise.withResolvers<string | RouterError>();
  let text = "";
  const body = [Buffer.alloc(300_000, 0x20)];
  const request = { address, tls, method: "POST", path: "/", headers: [], body };
  upstream.send(request, {
    head: () => undefined,
    data: (chunk) => {
      text += chunk.toString("latin1");
    },
    end: () => resolve(text),
    failed: resolve,
  });
  return promise;
}

test("upstream-tls: TLS is spoken where it is asked for, with a trusted certificate where that is", async () => {
  let openCount = 0;
  let plainCount = 0;
  const server = createServer(selfSignedCertificate(Date.now()), (socket) => {
    let receivedBytes = 0;
    openCount++;
    socket.on("error", () => undefined).on("close", () => openCount--);
    socket.on("data", (bytes) => {
      receivedBytes += bytes.length;
      if (receivedBytes < 300_000) return;
      receivedBytes = 0;
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n");
      socket.write("hello\r\n0\r\n\r\n");
    });
  });
  server.on("tlsClientError", () => plainCount++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upstream = new Upstream({ connectTimeoutMs: 5000, connectionsPerEndpoint: 8 });
  for (let i = 0; i < 2; i++) {
    assert.equal(await ask(upstream, address, { isVerifying: false }), "hello");
    assert.equal(openCount, 1);
  }
  const distrusted = await ask(upstream, address, { isVerifying: true });
  assert.ok(typeof distrusted !== "string");
  assert.equal(distrusted.code, "ROUTER_UPSTREAM_CONNECT");
  // The TLS connection that is kept is not lent to a request that wants none.
  assert.notEqual(typeof (await ask(upstream, address, undefined)), "string");
  assert.ok(plainCount > 0);
  upstream.forget(address);
  await eventually(() => openCount === 0);
  await upstream.close();
  server.close();
});
