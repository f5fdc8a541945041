// One ext_proc server over TLS for extproc.ts, in a process of its own: the picker, or grpc-js that echoes.
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import { noLog } from "../../src/core/log.ts";
import { noMeter } from "../../src/core/meter.ts";
import { DEFAULT_DESTINATION_HINT } from "../../src/front/extproc/extproc-context.ts";
import { startExtProc } from "../../src/front/extproc/start-extproc.ts";
import { DEFAULT_HTTP_FRONT_LIMITS } from "../../src/front/http/http-front.ts";
import { WasmBlockHasher } from "../../src/request/wasm-block-hasher.ts";
import { WasmBodyScanner } from "../../src/request/wasm-body-scanner.ts";
import { poolWith } from "../fixtures/pool-core.ts";

const { cert, key } = selfSignedCertificate(Date.now());
const port = process.argv[2] === "picker" ? await startPicker() : await startEcho();
process.send?.({ port });
process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system });
});

async function startPicker(): Promise<number> {
  const endpoints = Array.from({ length: 8 }, (_, i) => ({ address: `10.0.0.${i + 1}:8000` }));
  const { core } = poolWith({
    meter: noMeter,
    endpoints,
    plugins: ["single-profile-handler", "max-score-picker", "queue-scorer", "prefix-cache-scorer"],
    profiles: { default: [["prefix-cache-scorer", 2], ["queue-scorer", 1], "max-score-picker"] },
  });
  const front = await startExtProc({
    pool: { key: "pool", core, isNamed: () => true },
    hasher: new WasmBlockHasher(),
    scanner: new WasmBodyScanner(),
    observer: { started: () => undefined, chunkGap: () => undefined, finished: () => undefined },
    clock: { nowMs: () => performance.now() },
    log: noLog,
    destination: DEFAULT_DESTINATION_HINT,
    isSubsetObeyed: true,
    host: "127.0.0.1",
    port: 0,
    healthPort: 0,
    tls: { cert, key, minVersion: "TLSv1.2" },
    messageBytesMax: 4 * 1024 * 1024,
    hasHealthOnPort: false,
    isReady: () => true,
    limits: DEFAULT_HTTP_FRONT_LIMITS,
  });
  return front.port;
}

interface Asked {
  readonly request_headers?: unknown;
  readonly response_headers?: unknown;
  readonly request_body?: { readonly body: Buffer; readonly end_of_stream: boolean };
  readonly response_body?: { readonly body: Buffer; readonly end_of_stream: boolean };
}

/** What an ext_proc server is at least: headers with one set, bodies given back. */
async function startEcho(): Promise<number> {
  const protos = fileURLToPath(new URL("../../protos", import.meta.url));
  const definition = loadSync("envoy/service/ext_proc/v3/external_processor.proto", {
    includeDirs: [protos],
    keepCase: true,
  });
  const name = "envoy.service.ext_proc.v3.ExternalProcessor";
  // The loaded definition of a service is one, by the name that the file gives it.
  const service = definition[name] as ServiceDefinition;
  loadPackageDefinition(definition);
  const server = new Server();
  const address = Buffer.from("10.0.0.1:8000");
  const header = { header: { key: "x-gateway-destination-endpoint", raw_value: address } };
  const head = { response: { header_mutation: { set_headers: [header] } } };
  const body = (piece: object): object => ({
    response: { body_mutation: { streamed_response: piece } },
  });
  server.addService(service, {
    Process(call: ServerDuplexStream<Asked, object>) {
      call.on("data", (asked: Asked) => {
        if (asked.request_headers) call.write({ request_headers: head });
        else if (asked.request_body) call.write({ request_body: body(asked.request_body) });
        else if (asked.response_headers) call.write({ response_headers: head });
        else if (asked.response_body) call.write({ response_body: body(asked.response_body) });
      });
      call.on("end", () => call.end());
      call.on("error", () => undefined);
    },
  });
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
  ]);
  return await new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}
