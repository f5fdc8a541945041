import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { KubeConfig } from "@kubernetes/client-node";
import { ConfigError } from "../core/config-error.ts";
import { KubeApi } from "./kube-api.ts";

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/**
 * The cluster that this program belongs to: KUBECONFIG, else the service account of the pod that it runs
 * in, else `~/.kube/config`. Throws ConfigError, which says what to do, when there is none of them.
 */
export async function loadKubeApi(): Promise<KubeApi> {
  // The client brings every type of the API along, which only those who need a cluster shall wait for.
  const client = await import("@kubernetes/client-node");
  const config = new client.KubeConfig();
  const home = join(homedir(), ".kube", "config");
  const given = process.env["KUBECONFIG"] ?? "";
  if (given !== "") {
    read("KUBECONFIG", given, () => config.loadFromDefault());
  } else if (process.env["KUBERNETES_SERVICE_HOST"] !== undefined) {
    if (!existsSync(TOKEN_FILE)) {
      throw fault(
        "kubernetes",
        `this pod has no service account token (${TOKEN_FILE}): let it have one ` +
          "(automountServiceAccountToken), or list the endpoints in a file with --endpoints",
      );
    }
    config.loadFromCluster();
  } else if (existsSync(home)) {
    read("kubernetes", home, () => config.loadFromFile(home));
  } else {
    throw fault(
      "kubernetes",
      "no cluster is configured: set KUBECONFIG to a kubeconfig, run in a pod with a service " +
        "account, or list the endpoints in a file with --endpoints",
    );
  }
  return new KubeApi(checked(config, given === "" ? home : given));
}

function read(path: string, files: string, load: () => void): void {
  try {
    load();
  } catch (error) {
    throw fault(path, `${files} cannot be used: ${error instanceof Error ? error.message : error}`);
  }
}

function checked(config: KubeConfig, files: string): KubeConfig {
  const cluster = config.getCurrentCluster();
  if (cluster === null || !/^https?:\/\//.test(cluster.server)) {
    const context = JSON.stringify(config.getCurrentContext() ?? "");
    throw fault("kubernetes", `${files}: the current context ${context} leads to no cluster`);
  }
  if (cluster.server.startsWith("http:") && cluster.skipTLSVerify !== true) {
    throw fault(
      "kubernetes",
      `${files}: ${cluster.name} is reached by http without TLS; say so with ` +
        "insecure-skip-tls-verify: true, or name an https server",
    );
  }
  return config;
}

function fault(path: string, message: string): ConfigError {
  return new ConfigError([{ path, message }]);
}
