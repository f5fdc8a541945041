import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { FileFeed, openEndpointsFile } from "../../src/app/file-feed.ts";
import { ExtProcClient, setHeadersOf } from "../fixtures/extproc-client.ts";
import { ASKED } from "../fixtures/extproc-under-test.ts";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { endpointsText, RunningEpp } from "../fixtures/running-epp.ts";
import { startServeWith } from "../fixtures/serve-with-feed.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-endpoints-"));
after(() => rmSync(folder, { recursive: true }));

interface PoolView {
  readonly endpoints: {
    readonly lastReload: { readonly result: string; readonly message: string } | null;
    readonly unreadable: string | null;
    readonly unresolved: readonly string[];
  };
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((done) => setTimeout(done, 20));
}

/** An engine that is healthy and holds each completion until it is told to answer. */
async function holdingEngine() {
  const held: ServerResponse[] = [];
  let openCount = 0;
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === "POST") held.push(response);
    else response.end("{}");
  });
  server.on("connection", (socket) => {
    openCount++;
    socket.on("close", () => openCount--);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    held,
    openCount: () => openCount,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

test("endpoints-file: serve takes up what came and went, and a request under way ends where it is", async () => {
  await using old = await holdingEngine();
  await using next = await holdingEngine();
  const file = join(folder, "serve.json");
  writeFileSync(file, endpointsText([{ name: "old", address: old.address }]));
  const opened = openEndpointsFile({ text: readFileSync(file, "utf8"), file });
  const feed = new FileFeed(opened, { isResolving: false });
  const router = await startServeWith(feed, { file: join(folder, "picker.yaml"), modelName: "m" });
  const admin = `http://127.0.0.1:${router.adminPort}`;
  const shown = async (): Promise<PoolView["endpoints"]> => {
    const { pools } = (await (await fetch(`${admin}/api/config`)).json()) as {
      pools: readonly PoolView[];
    };
    return (pools[0] as PoolView).endpoints;
  };
  const ready = async (): Promise<string> => {
    const rows = (await (await fetch(`${admin}/api/endpoints`)).json()) as readonly {
      name: string;
      isReady: boolean;
    }[];
    return rows.map(({ name, isReady }) => `${name} ${isReady}`).join();
  };
  const ask = () =>
    fetch(`http://127.0.0.1:${router.port}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "m", prompt: "hello" }),
    });
  try {
    await until(async () => (await ready()) === "old true");
    const underWay = ask();
    await until(async () => old.held.length === 1);

    writeFileSync(file, endpointsText([{ name: "next", address: next.address }]));
    await until(async () => (await ready()) === "next true");
    assert.equal((await shown()).lastReload?.result, "applied");
    const later = ask();
    await until(async () => next.held.length === 1);
    next.held[0]?.end('{"from":"next"}');
    assert.deepEqual(await (await later).json(), { from: "next" });
    old.held[0]?.end('{"from":"old"}');
    assert.deepEqual(await (await underWay).json(), { from: "old" });
    await until(async () => old.openCount() === 0);

    writeFileSync(file, "endpoints: [{ name: x, address: 10.0.0.1, port: 99999 }]");
    await until(async () => (await shown()).lastReload?.result === "rejected");
    assert.match(
      (await shown()).lastReload?.message ?? "",
      /serve\.json:1:\d+: .*port, 1 to 65535/,
    );
    assert.equal(await ready(), "next true");
    rmSync(file);
    await until(async () => (await shown()).unreadable !== null);
    assert.equal(await ready(), "next true");
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    assert.match(metrics, /^switchyard_endpoints_reloads_total\{result="applied"\} 1$/m);
    assert.match(metrics, /^switchyard_endpoints_reloads_total\{result="rejected"\} 1$/m);
  } finally {
    await router.drain();
  }
});

test("endpoints-file: epp names endpoints by address, and a host without one is left out", async () => {
  await using engine = await HttpEndpoint.start(() => ({ status: 200, body: "{}" }));
  const port = engine.address.split(":")[1] as string;
  const file = join(folder, "epp.json");
  writeFileSync(
    file,
    endpointsText([
      { name: "named", address: `localhost:${port}` },
      { name: "lost", address: `no-such-host.invalid:${port}` },
    ]),
  );
  await using epp = await RunningEpp.start(["--endpoints", file, "--secure-serving=false"]);
  await until(async () => (await epp.readyCount()) === 1);
  const { pools } = await epp.admin<{ pools: readonly PoolView[] }>("/api/config");
  assert.deepEqual(pools[0]?.endpoints.unresolved, ["no-such-host.invalid"]);
  await until(async () => epp.lines.some((line) => line.includes('"host-unresolved"')));
  await using client = new ExtProcClient(epp.port);
  const call = client
    .open()
    .headers("request", ASKED)
    .body("request", JSON.stringify({ model: "m", prompt: "hello" }));
  const set = setHeadersOf(await call.next());
  assert.equal(set["x-gateway-destination-endpoint"], engine.address);
  call.cancel();

  writeFileSync(file, endpointsText([{ name: "other", address: engine.address }]));
  await until(async () => {
    const rows = await epp.admin<readonly { name: string; isReady: boolean }[]>("/api/endpoints");
    return rows.length === 1 && rows[0]?.name === "other" && rows[0].isReady;
  });
});
