import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { Agent, request as send } from "undici";
import { selfSignedCertificate } from "../app/self-signed-certificate.ts";
import type { PdOutcome } from "../core/exchange-report.ts";
import { ask, BODY, decoded, Engine, PD, prefilled, sidecarTo } from "./sidecar-rig.test.ts";

const RANK = "x-data-parallel-host-port";

test("sidecar: the observer is told of every request", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  const seen: string[] = [];
  await using sidecar = await sidecarTo(decode.address, {
    isPrefillAllowed: (hostPort) => hostPort !== "10.0.0.9:80",
    observer: {
      passedOn: () => seen.push("passed on"),
      splitEnded: (outcome: PdOutcome | undefined) => seen.push(String(outcome?.outcome)),
      prefillFailed: (reason) => seen.push(`failed ${reason}`),
      denied: () => seen.push("denied"),
    },
  });
  for (const endpoint of ["", prefill.address, "127.0.0.1:1", "10.0.0.9:80"]) {
    await (await ask(sidecar, endpoint)).body.dump();
  }
  assert.deepEqual(seen, ["passed on", "remote", "failed connect-error", "fallback", "denied"]);
});

test("sidecar: what is allowed may change while it runs", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  const allowed = new Set<string>();
  await using sidecar = await sidecarTo(decode.address, {
    isPrefillAllowed: (hostPort) => allowed.has(hostPort),
  });
  const statuses: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const answer = await ask(sidecar, prefill.address);
    statuses.push(answer.statusCode);
    const text = await answer.body.text();
    if (turn === 0) assert.match(text, /Forbidden: prefill target not allowed by SSRF protection/);
    allowed.add(prefill.address);
  }
  assert.deepEqual(statuses, [403, 200]);
});

test("sidecar: of a list only what is allowed is asked", async () => {
  await using prefill = await Engine.start(prefilled);
  await using other = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address, {
    isPrefillAllowed: (hostPort) => hostPort === prefill.address,
  });
  const answer = await ask(sidecar, `${other.address},${prefill.address}`);
  assert.match(String(answer.headers[PD]), new RegExp(`prefill-endpoint=${prefill.address}`));
  await answer.body.dump();
  assert.equal(other.received.length, 0);
});

test("sidecar: sampling asks each of several prefill endpoints first at times", async () => {
  await using one = await Engine.start(prefilled);
  await using two = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address, { isSampling: true });
  // A draw that never changed in so many turns has a probability of 2^-63.
  for (let turn = 0; turn < 64 && one.received.length * two.received.length === 0; turn++) {
    await (await ask(sidecar, `${one.address},${two.address}`)).body.dump();
  }
  assert.ok(one.received.length > 0 && two.received.length > 0);
});

test("sidecar: each rank has a listener, and a header names another rank's", async () => {
  await using first = await Engine.start((response) => response.end("rank 0"));
  // The engine's next port is unlikely to be free, so the rank behind it only has to be unreachable.
  await using sidecar = await sidecarTo(first.address, { rankCount: 2 });
  const [own = 0, other = 0] = sidecar.ports;
  const status = async (port: number, rank?: string): Promise<number> => {
    const headers = rank === undefined ? {} : { [RANK]: rank };
    const answer = await send(`http://127.0.0.1:${port}/v1/models`, { headers });
    await answer.body.dump();
    return answer.statusCode;
  };
  assert.equal(await status(own), 200);
  assert.equal(await status(own, `10.0.0.1:${own}`), 200);
  assert.equal(await status(other, `10.0.0.1:${own}`), 200);
  const elsewhere = await status(other);
  assert.equal(await status(own, `10.0.0.1:${other}`), elsewhere);
  for (const unknown of ["10.0.0.1:1", "x", `a:${own},a:${own}`]) {
    assert.equal(await status(own, unknown), 400, unknown);
  }
  assert.equal(first.received[1]?.headers[RANK], undefined);
});

test("sidecar: it speaks TLS to clients and engines, and takes up another certificate", async () => {
  const engine = createServer(selfSignedCertificate(Date.now()), (request, response) => {
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end('{"kv_transfer_params":{"remote_block_ids":[1]}}');
  });
  await new Promise<void>((done) => engine.listen(0, "127.0.0.1", done));
  const { port } = engine.address() as AddressInfo;
  const unverified = { isVerifying: false };
  const identity = selfSignedCertificate(Date.now());
  const certificates = new Set<string>();
  const trusting = new Agent({ connect: { rejectUnauthorized: false } });
  for (const isVerifying of [false, true]) {
    await using sidecar = await sidecarTo("127.0.0.1:1", {
      engine: { host: "127.0.0.1", port, tls: { isVerifying } },
      legs: { prefillTls: unverified },
      tls: { ...identity, minVersion: "TLSv1.2" },
    });
    const answer = await send(`https://${sidecar.address}/v1/completions`, {
      method: "POST",
      headers: { "x-prefiller-host-port": `127.0.0.1:${port}` },
      body: BODY,
      dispatcher: trusting,
    });
    await answer.body.dump();
    // An engine whose certificate nobody trusts is no engine.
    assert.equal(answer.statusCode, isVerifying ? 503 : 200);
    assert.match(String(answer.headers[PD]), /^outcome=remote;/);
    certificates.add(await certificateOf(sidecar.address));
    sidecar.useTls(selfSignedCertificate(Date.now()));
    certificates.add(await certificateOf(sidecar.address));
  }
  assert.equal(certificates.size, 3);
  await trusting.close();
  engine.closeAllConnections();
  await new Promise((done) => engine.close(done));
});

/** Fingerprint of the certificate that a server shows. */
async function certificateOf(address: string): Promise<string> {
  const port = Number(address.split(":")[1]);
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
