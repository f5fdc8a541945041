import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { barePath } from "../core/bare-path.ts";

/** Metrics behind a port. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `GET /metrics` and nothing else; rejects when the address cannot be had. */
export async function startMetricsServer(
  expose: () => Promise<{ readonly contentType: string; readonly text: string }>,
  listen: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (barePath(request.url ?? "") !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain" }).end("there is /metrics only\n");
      return;
    }
    expose().then(
      ({ contentType, text }) => response.writeHead(200, { "content-type": contentType }).end(text),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
