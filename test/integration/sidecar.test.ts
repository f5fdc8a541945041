import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { connect } from "node:tls";
import { Agent, type Dispatcher, request } from "undici";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import { eventually } from "../fixtures/eventually.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { freePorts, RunningProgram } from "../fixtures/running-program.ts";
import { runCli } from "../fixtures/running-up.ts";

const MODEL = "Qwen/Qwen3-0.6B";
const PD = "x-switchyard-pd";
const PLAIN = ["--host=127.0.0.1", "--secure-serving=false"];
const PROMPT = "The quick brown fox jumps over the lazy dog. ".repeat(40);

const folder = mkdtempSync(join(tmpdir(), "switchyard-sidecar-"));
let prefill: Address;
let decode: Address;
const engines: RunningProgram[] = [];

interface Address {
  readonly text: string;
  readonly port: string;
}

before(async () => {
  const [first, second] = await Promise.all([startEngine(), startEngine()]);
  prefill = first;
  decode = second;
});
after(async () => {
  await Promise.all(engines.map((engine) => engine.stop()));
  rmSync(folder, { recursive: true });
});

async function startEngine(port = 0): Promise<Address> {
  const args = ["engine", "--model", MODEL, "--port", String(port), "--kv-connector"];
  const engine = await RunningProgram.start([...args, "--time-scale", "20"], MODEL);
  engines.push(engine);
  const text = /127\.0\.0\.1:\d+/.exec(engine.greeting)?.[0] ?? "";
  return { text, port: text.split(":")[1] ?? "" };
}

/** The sidecar in front of the decode engine, on a port of its own. */
async function startSidecar(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  const engine = `--model-server-port=${decode.port}`;
  const all = ["sidecar", "--port=0", engine, ...args];
  return await RunningProgram.start(all, "sidecar on ", variables);
}

function ask(
  port: number | undefined,
  target: string,
  more: Record<string, unknown> = {},
  options: { readonly scheme?: string; readonly dispatcher?: Dispatcher } = {},
): Promise<Dispatcher.ResponseData> {
  const { scheme = "http", dispatcher } = options;
  return request(`${scheme}://127.0.0.1:${port}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-prefiller-host-port": target },
    body: JSON.stringify({ model: MODEL, prompt: PROMPT, max_tokens: 5, ...more }),
    ...(dispatcher === undefined ? {} : { dispatcher }),
  });
}

interface Completion {
  readonly usage: { readonly completion_tokens: number };
}

test("sidecar: prefill runs elsewhere and decode here, in one piece and as a stream", async () => {
  await using sidecar = await startSidecar([...PLAIN, `--allow-prefill=${prefill.text}`]);
  const [port] = sidecar.ports;
  const whole = await ask(port, prefill.text);
  assert.equal(whole.statusCode, 200);
  assert.match(
    String(whole.headers[PD]),
    new RegExp(
      `^outcome=remote; prefill-endpoint=${prefill.text};.* handle-blocks=\\d+;.* kv-bytes=`,
    ),
  );
  assert.equal(((await whole.body.json()) as Completion).usage.completion_tokens, 5);
  const stream = await ask(port, prefill.text, { stream: true });
  assert.match(String(stream.headers[PD]), /^outcome=remote;/);
  const text = await stream.body.text();
  assert.ok(text.split("data: ").length > 5 && text.endsWith("data: [DONE]\n\n"), text);
  const alone = await ask(port, "");
  assert.equal(alone.headers[PD], undefined);
  assert.equal(alone.statusCode, 200);
  await alone.body.dump();
  const health = await fetch(`http://127.0.0.1:${port}/health`);
  assert.equal(health.status, 200);
  assert.equal(await sidecar.stop(), 0);
});

test("sidecar: a wrong prefill port is a fallback that is counted with its reason, and an error if so asked", async () => {
  const metricsPort = await freePorts(1);
  const dead = `127.0.0.1:${await freePorts(1)}`;
  const common = [...PLAIN, "--allow-prefill", "127.0.0.0/8"];
  await using lenient = await startSidecar([...common, `--metrics-port=${metricsPort}`]);
  const fallen = await ask(lenient.ports[0], dead);
  assert.equal(fallen.statusCode, 200);
  assert.match(String(fallen.headers[PD]), /^outcome=fallback; reason=connect-error;/);
  await fallen.body.dump();
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  assert.match(metrics, /^switchyard_pd_fallback_total{reason="connect-error"} 1$/m);
  assert.match(metrics, /^switchyard_pd_prefill_failures_total{reason="connect-error"} 1$/m);
  assert.match(metrics, /^switchyard_pd_requests_total{outcome="fallback"} 1$/m);
  await using strict = await startSidecar([...common, "--prefill-fallback=error"]);
  const failed = await ask(strict.ports[0], dead);
  assert.equal(failed.statusCode, 502);
  assert.match(await failed.body.text(), /prefill failed: connect-error/);
});

test("sidecar: a prefill target that is not allowed is forbidden, and named in the log", async () => {
  const file = join(folder, "endpoints.json");
  const listed = [
    { name: "p", address: prefill.text, role: "prefill" },
    { name: "d", address: decode.text, role: "decode" },
  ];
  writeFileSync(file, endpointsText(listed));
  await using sidecar = await startSidecar([...PLAIN, "--endpoints", file]);
  const [port] = sidecar.ports;
  const allowed = await ask(port, prefill.text);
  assert.equal(allowed.statusCode, 200);
  await allowed.body.dump();
  for (const target of [decode.text, "169.254.169.254:80", "localhost:22"]) {
    const denied = await ask(port, target);
    assert.equal(denied.statusCode, 403);
    assert.match(await denied.body.text(), /prefill target not allowed by SSRF protection/);
    await eventually(() =>
      sidecar.lines.some((line) => line.includes(target) && line.includes("prefill-denied")),
    );
  }
});

test("sidecar: TLS to the client and to both engines", async () => {
  const secure = createServer(selfSignedCertificate(Date.now()), (received, response) => {
    received.resume();
    response.setHeader("content-type", "application/json");
    response.end('{"kv_transfer_params":{"remote_block_ids":[1,2]}}');
  });
  await new Promise<void>((done) => secure.listen(0, "127.0.0.1", done));
  const { port } = secure.address() as AddressInfo;
  const file = join(folder, "sidecar.yaml");
  writeFileSync(
    file,
    `enable-tls: [prefiller]\ntls-insecure-skip-verify:\n- prefiller\n- decoder\nmodel-server-port: 1\n`,
  );
  const trusting = new Agent({ connect: { rejectUnauthorized: false } });
  await using sidecar = await startSidecar([
    "-host=127.0.0.1",
    `--configuration-file=${file}`,
    "--decoder-use-tls=true",
    "--vllm-port",
    String(port),
    "-allow-prefill=127.0.0.1",
  ]);
  assert.match(sidecar.greeting, /TLS, self-signed/);
  const target = `127.0.0.1:${port}`;
  const options = { scheme: "https", dispatcher: trusting };
  const answer = await ask(sidecar.ports[0], target, {}, options);
  // The list of the command line replaces the file's, and the older switches add to it.
  assert.equal(answer.statusCode, 200);
  assert.match(String(answer.headers[PD]), /^outcome=remote;.* handle-blocks=2/);
  await answer.body.dump();
  await trusting.close();
  secure.closeAllConnections();
  secure.close();
});

test("sidecar: certificates come from files and are taken up when they change", async () => {
  const renew = (): void => {
    const { cert, key } = selfSignedCertificate(Date.now());
    writeFileSync(join(folder, "tls.crt"), cert);
    writeFileSync(join(folder, "tls.key"), key);
  };
  renew();
  const suite = "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
  const args = ["--host=127.0.0.1", `--cert-path=${folder}`, "--allow-prefill=127.0.0.1"];
  await using sidecar = await startSidecar([...args, suite]);
  assert.match(sidecar.greeting, /TLS, files/);
  const [port = 0] = sidecar.ports;
  const first = await shownBy(port);
  assert.equal(first.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
  renew();
  let next = first;
  while (next.certificate === first.certificate) {
    await new Promise((done) => setTimeout(done, 50));
    next = await shownBy(port);
  }
  assert.equal(next.cipher, first.cipher);
});

/** What a port shows to a client of TLS 1.2 that would rather have another suite. */
async function shownBy(port: number): Promise<{ certificate: string; cipher: string }> {
  const ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
  const options = { rejectUnauthorized: false, maxVersion: "TLSv1.2", ciphers } as const;
  const socket = connect({ host: "127.0.0.1", port, ...options });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  const { name } = socket.getCipher();
  socket.destroy();
  return { certificate: fingerprint256, cipher: name };
}

const drains = [
  { name: "waits for what is under way", timeout: "60s", isWhole: true },
  { name: "cuts what is not done in time", timeout: "1ms", isWhole: false },
];
for (const { name, timeout, isWhole } of drains) {
  test(`sidecar: SIGTERM ${name}, and the exit code is 0`, async () => {
    const asked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const engine = createHttpServer((received, response) => {
      received.resume();
      response.writeHead(200).write("begun, ");
      asked.resolve();
      goOn.promise.then(() => response.end("done"), assert.fail);
    });
    await new Promise<void>((done) => engine.listen(0, "127.0.0.1", done));
    const { port } = engine.address() as AddressInfo;
    const args = [`--model-server-port=${port}`, `--drain-timeout=${timeout}`];
    await using sidecar = await startSidecar([...PLAIN, "--allow-prefill=127.0.0.1", ...args]);
    const [sidecarPort] = sidecar.ports;
    const answer = await ask(sidecarPort, "");
    await asked.promise;
    const stopped = sidecar.stop();
    // Its listener is closed before anything else happens.
    while (await isListening(sidecarPort)) await new Promise((done) => setTimeout(done, 20));
    if (isWhole) {
      goOn.resolve();
      assert.equal(await answer.body.text(), "begun, done");
    } else {
      await assert.rejects(answer.body.text());
      goOn.resolve();
    }
    assert.equal(await stopped, 0);
    engine.closeAllConnections();
    engine.close();
  });
}

async function isListening(port = 0): Promise<boolean> {
  const socket = connectTcp(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("sidecar: ranks have ports in a row, and a header names one", async () => {
  const enginePort = await freePorts(2);
  await startEngine(enginePort);
  await startEngine(enginePort + 1);
  const first = await freePorts(2);
  await using sidecar = await RunningProgram.start(
    [
      "sidecar",
      `--port=${first}`,
      `--model-server-port=${enginePort}`,
      "--data-parallel-size=2",
      "--enable-ssrf-protection=false",
      ...PLAIN,
    ],
    "sidecar on ",
  );
  assert.deepEqual(sidecar.ports, [first, first + 1]);
  const served = async (port: number): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(
      /^vllm:request_success_total\{[^}]*finished_reason="length"[^}]*\} (\d+)/m.exec(text)?.[1],
    );
  };
  for (const [port, rank, status] of [
    [first, undefined, 200],
    [first + 1, undefined, 200],
    [first, `127.0.0.1:${first + 1}`, 200],
    [first, "127.0.0.1:1", 400],
  ] as const) {
    const answer = await request(`http://127.0.0.1:${port}/v1/completions`, {
      method: "POST",
      headers: rank === undefined ? {} : { "x-data-parallel-host-port": rank },
      body: JSON.stringify({ model: MODEL, prompt: "Hi", max_tokens: 2, ignore_eos: true }),
    });
    assert.equal(answer.statusCode, status);
    await answer.body.dump();
  }
  assert.deepEqual([await served(enginePort), await served(enginePort + 1)], [1, 2]);
});

const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [[], /SSRF protection is on and allows no prefill target/],
  [["--inference-pool=ns/Pool"], /--inference-pool: must be a name of Kubernetes/],
  [["--inference-pool=a/b/c"], /--inference-pool: must be namespace\/name/],
  [["--allow-prefill=a:b"], /--allow-prefill: "a:b" must be HOST/],
  [["--kv-connector=mooncake"], /--kv-connector: must be one of nixlv2, shared-storage/],
  [["--decode-chunk-size=8"], /--decode-chunk-size: a decode leg is never cut/],
  [["--data-parallel-size=0"], /must be a number from 1 to 256/],
  [
    ["--port=65400", "--data-parallel-size=256", "--allow-prefill=a"],
    /--data-parallel-size: 256 ranks need as many ports/,
  ],
  [["--portt=1"], /--portt: unknown flag/],
  [["--configuration=port: x"], /--configuration:1:1: port: must be a port/],
  [["--configuration={ports: 1}"], /ports: unknown flag; did you mean port\?/],
  [["--configuration={port: 1}", "--configuration-file=x"], /exclude each other/],
];
for (const [args, message] of wrong) {
  test(`sidecar: ${args.join(" ") || "no flag"} is refused`, async () => {
    const { code, stderr } = await runCli(["sidecar", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
  });
}
