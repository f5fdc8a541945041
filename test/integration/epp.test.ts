import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { connect } from "node:tls";
import { builtinRegistry } from "../../src/app/plugin-registry.ts";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import { loadService } from "../../src/manifest/load-service.ts";
import { eventually } from "../fixtures/eventually.ts";
import { ExtProcClient, setHeadersOf } from "../fixtures/extproc-client.ts";
import { ASKED } from "../fixtures/extproc-under-test.ts";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { endpointsText, RunningEpp } from "../fixtures/running-epp.ts";
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-epp-"));
after(() => rmSync(folder, { recursive: true }));

const METRICS =
  "vllm:num_requests_waiting 0\nvllm:num_requests_running 0\nvllm:kv_cache_usage_perc 0\n";
const healthy = (path: string) => ({ status: 200, body: path === "/metrics" ? METRICS : "{}" });
const BODY = JSON.stringify({ model: "m", prompt: "hello" });

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function untilReady(epp: RunningEpp, count: number): Promise<void> {
  while ((await epp.readyCount()) < count) await new Promise((done) => setTimeout(done, 20));
}

for (const [index, file] of EXAMPLES.entries()) {
  test(`epp: the arguments of ${file} start it unchanged`, async () => {
    const registry = builtinRegistry();
    const { picker } = loadService({ text: readFileSync(file, "utf8"), file, registry });
    // The manifests' engines speak TLS; the picker is told to take any certificate.
    const engine = createServer(selfSignedCertificate(Date.now()), (request, response) => {
      const { status, body } = healthy(request.url ?? "");
      response.writeHead(status).end(body);
    });
    await new Promise<void>((done) => engine.listen(0, "127.0.0.1", done));
    const address = `127.0.0.1:${(engine.address() as AddressInfo).port}`;
    const endpoints = written(
      `engines-${index}.json`,
      endpointsText([
        { name: "d", address, role: "decode" },
        { name: "p", address, role: "prefill" },
      ]),
    );
    const args = [...picker.arguments, "--configText", picker.text, "--endpoints", endpoints];
    try {
      await using epp = await RunningEpp.start(args);
      assert.match(epp.greeting, /TLS/);
      await untilReady(epp, 2);
      await using client = new ExtProcClient(epp.port, { isSecure: true });
      const call = client.open().headers("request", ASKED).body("request", BODY);
      const set = setHeadersOf(await call.next());
      assert.equal(set["x-gateway-destination-endpoint"], address);
      const isSplit = file.includes("pd");
      assert.equal(set["x-prefiller-host-port"], isSplit ? address : undefined);
      call.cancel();
      await using health = new ExtProcClient(epp.healthPort);
      assert.equal(await health.health(""), 1);
      const metrics = await (await fetch(`${epp.adminUrl}/metrics`)).text();
      assert.match(metrics, /inference_pool_ready_pods\{name="[^"]*-inference-pool"\} 2/);
      await eventually(() =>
        epp.lines.some((line) => line.includes("flag-without-effect") && line.includes("-v")),
      );
    } finally {
      engine.closeAllConnections();
      engine.close();
    }
  });
}

const MISTAKES: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [[], /--pool-name: name the InferencePool to serve.*--endpoints/],
  [["--nope"], /--nope: unknown flag/],
  [
    ["--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA"],
    /RC4_128_SHA is not offered.*known are TLS_ECDHE/s,
  ],
  [["--endpoints", "no-such-file"], /no-such-file/],
  [["--endpoints", "x", "--config-file=a", "--config-text=b"], /exclude each other/],
];
for (const [args, message] of MISTAKES) {
  test(`epp: ${args.join(" ")} is a wrong call`, async () => {
    const { code, stderr } = await runCli(["epp", ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  });
}

test("epp: help lists every flag, with an example", async () => {
  const { code, stdout } = await runCli(["epp", "--help"]);
  assert.equal(code, 0);
  for (const text of ["--pool-name", "--zap-encoder", "Example:"])
    assert.ok(stdout.includes(text), text);
});

test("epp: plaintext, and SIGTERM that waits for what is under way", async () => {
  await using engine = await HttpEndpoint.start(healthy);
  const endpoints = written("one.json", endpointsText([{ name: "e", address: engine.address }]));
  const args = ["--endpoints", endpoints, "--secure-serving=false", "--drain-timeout=60s"];
  await using epp = await RunningEpp.start(args);
  assert.match(epp.greeting, /plaintext/);
  await untilReady(epp, 1);
  await using client = new ExtProcClient(epp.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  await call.next();
  await call.wholeBody("request");
  const stopped = epp.stop();
  await using health = new ExtProcClient(epp.healthPort);
  while ((await health.health("")) !== 2) await new Promise((done) => setTimeout(done, 10));
  call.headers("response", { ":status": "200" }).body("response", "{}");
  await call.next();
  assert.equal((await call.wholeBody("response")).bytes.toString(), "{}");
  assert.equal((await call.halfClose().status).code, 0);
  assert.equal(await stopped, 0);
  assert.ok(epp.lines.some((line) => line.includes('"how":"completed"')));
});

test("epp: the scores of all candidates are told where that is asked for", async () => {
  await using one = await HttpEndpoint.start(healthy);
  await using two = await HttpEndpoint.start(healthy);
  const list = [one, two].map(({ address }, i) => ({ name: `e${i}`, address }));
  const endpoints = written("scores.json", endpointsText(list));
  const args = ["--endpoints", endpoints, "--secure-serving=false"];
  await using epp = await RunningEpp.start([...args, "--emit-endpoint-scores"]);
  await untilReady(epp, 2);
  await using client = new ExtProcClient(epp.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  const reply = await call.next();
  const destination = setHeadersOf(reply)["x-gateway-destination-endpoint"] ?? "";
  const { "envoy.lb": metadata } = reply.dynamicMetadata as Record<
    string,
    Record<string, Record<string, number>>
  >;
  const scores = metadata?.["x-gateway-destination-endpoint-scores"] ?? {};
  assert.deepEqual(Object.keys(scores).toSorted(), [one.address, two.address].toSorted());
  assert.equal(scores[destination], Math.max(...Object.values(scores)));
  call.cancel();
});

test("epp: an exchange that does not end in time is cut by the drain's limit", async () => {
  await using engine = await HttpEndpoint.start(healthy);
  const endpoints = written("cut.json", endpointsText([{ name: "e", address: engine.address }]));
  const args = ["--endpoints", endpoints, "--secure-serving=false", "--drain-timeout=100ms"];
  await using epp = await RunningEpp.start(args);
  await untilReady(epp, 1);
  await using client = new ExtProcClient(epp.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  await call.next();
  assert.equal(await epp.stop(), 0);
  assert.notEqual((await call.status).code, 0);
});

test("epp: certificates come from files and are taken up when they change", async () => {
  const first = selfSignedCertificate(Date.now());
  const second = selfSignedCertificate(Date.now());
  const use = ({ cert, key }: typeof first): void => {
    written("tls.crt", cert);
    written("tls.key", key);
  };
  use(first);
  const endpoints = written("none.json", endpointsText([]));
  const args = ["--endpoints", endpoints, "--cert-path", folder, "--enable-cert-reload"];
  await using epp = await RunningEpp.start(args);
  assert.match(epp.greeting, /TLS, files/);
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = {
        port: epp.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      };
      const socket = connect(options, () => {
        assert.equal(socket.alpnProtocol, "h2");
        resolve(new X509Certificate(socket.getPeerCertificate().raw).fingerprint256);
        socket.destroy();
      });
      socket.once("error", reject);
    });
  assert.equal(await shown(), new X509Certificate(first.cert).fingerprint256);
  use(second);
  const want = new X509Certificate(second.cert).fingerprint256;
  while ((await shown()) !== want) await new Promise((done) => setTimeout(done, 50));
});

test("epp: the TLS that flags ask for stays when the certificate changes", async () => {
  const both = mkdtempSync(join(folder, "tls-"));
  const use = ({ cert, key }: ReturnType<typeof selfSignedCertificate>): void => {
    writeFileSync(join(both, "tls.crt"), cert);
    writeFileSync(join(both, "tls.key"), key);
  };
  use(selfSignedCertificate(Date.now()));
  const args = ["--endpoints", written("tls.json", endpointsText([])), "--cert-path", both];
  const suite = ["ECDSA", "RSA"].map((kind) => `TLS_ECDHE_${kind}_WITH_AES_256_GCM_SHA384`).join();
  await using epp = await RunningEpp.start([
    ...args,
    "--enable-cert-reload",
    `--tls-cipher-suites=${suite}`,
  ]);
  const shown = (): Promise<{ cipher: string; print: string }> =>
    new Promise((resolve, reject) => {
      const options = { port: epp.port, host: "127.0.0.1", rejectUnauthorized: false };
      const socket = connect({ ...options, ALPNProtocols: ["h2"], maxVersion: "TLSv1.2" }, () => {
        const print = new X509Certificate(socket.getPeerCertificate().raw).fingerprint256;
        resolve({ cipher: socket.getCipher().name, print });
        socket.destroy();
      });
      socket.once("error", reject);
    });
  const before = await shown();
  assert.match(before.cipher, /^ECDHE-(?:ECDSA|RSA)-AES256-GCM-SHA384$/);
  const second = selfSignedCertificate(Date.now());
  use(second);
  const want = new X509Certificate(second.cert).fingerprint256;
  for (;;) {
    const { cipher, print } = await shown();
    assert.equal(cipher, before.cipher);
    if (print === want) break;
    await new Promise((done) => setTimeout(done, 50));
  }
});

test("epp: a key that is not the certificate's is refused at the start", async () => {
  const other = mkdtempSync(join(folder, "pair-"));
  writeFileSync(join(other, "tls.crt"), selfSignedCertificate(Date.now()).cert);
  writeFileSync(join(other, "tls.key"), selfSignedCertificate(Date.now()).key);
  const endpoints = written("pair.json", endpointsText([]));
  const { code, stderr } = await runCli(["epp", "--endpoints", endpoints, "--cert-path", other]);
  assert.equal(code, 2);
  assert.match(stderr, /is not the key of its tls\.crt/);
});
