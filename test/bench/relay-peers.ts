import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { SINGLE } from "../fixtures/picker-configs.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { programPath } from "./native-tools.ts";
import { PeerProcess } from "./peer-process.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Starts the router of a checkout in front of engines, access log and metrics included. */
export function startRouter(
  name: string,
  ports: { readonly engines: readonly number[]; readonly own: number },
  folder: string,
  checkout: string = ROOT,
): Promise<PeerProcess> {
  const config = join(folder, "picker.yaml");
  const endpoints = join(folder, "endpoints.yaml");
  // Prefix matching and queues, however many endpoints: the whole job of a decision.
  writeFileSync(config, SINGLE);
  const engines = ports.engines.map((port, i) => ({
    name: `engine-${i}`,
    address: `127.0.0.1:${port}`,
  }));
  writeFileSync(endpoints, endpointsText(engines));
  const main = join(checkout, "src/cli/main.ts");
  const files = ["--config", config, "--endpoints", endpoints];
  const own = ["--port", String(ports.own), "--admin-port", "0", "--model", "m"];
  const profiling = process.env["RELAY_BENCH_NODE_OPTIONS"]?.split(" ") ?? [];
  const command = [process.execPath, ...profiling, main, "serve", ...files, ...own];
  return PeerProcess.start(name, ports.own, command);
}

/** nginx with one worker, kept connections and unbuffered streams; undefined where it is missing. */
export function startNginx(
  ports: { readonly engine: number; readonly own: number },
  folder: string,
): Promise<PeerProcess> | undefined {
  const program = programPath("nginx");
  if (program === undefined) return undefined;
  const pass = `proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";`;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/nginx-${kind};`)
    .join("\n");
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 8192; }
http {
  access_log off; client_max_body_size 64m; client_body_buffer_size 1m;
  keepalive_requests 100000000; ${temporary}
  upstream engine {
    server 127.0.0.1:${ports.engine}; keepalive 4096; keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${ports.own} backlog=8192;
    location / { ${pass} }
    location /v1/stream/ { ${pass} proxy_buffering off; }
  }
}
`,
  );
  return PeerProcess.start("nginx", ports.own, [program, "-c", file, "-e", `${folder}/nginx.log`]);
}

/** haproxy with one thread and reused connections; undefined where it is missing. */
export function startHaproxy(
  ports: { readonly engine: number; readonly own: number },
  folder: string,
): Promise<PeerProcess> | undefined {
  const program = programPath("haproxy");
  if (program === undefined) return undefined;
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${ports.own} backlog 8192
  default_backend engine
backend engine
  server engine 127.0.0.1:${ports.engine} pool-max-conn 8192
`,
  );
  return PeerProcess.start("haproxy", ports.own, [program, "-db", "-f", file]);
}
