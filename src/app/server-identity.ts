import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../core/config-error.ts";
import type { Log } from "../core/log.ts";
import type { TlsIdentity } from "../front/extproc/h2/h2-server.ts";
import { selfSignedCertificate } from "./self-signed-certificate.ts";

/** A server's certificate and where it is from. */
export interface ServerIdentity extends TlsIdentity {
  readonly origin: "files" | "self-signed";
}

/**
 * The certificate of a folder (`tls.crt` and `tls.key`, as a Kubernetes secret mounts them), or one of
 * our own where no folder is named or it holds neither file. Throws ConfigError for a pair that cannot
 * be used.
 */
export async function readIdentity(folder: string | undefined, log: Log): Promise<ServerIdentity> {
  const identity = folder === undefined ? undefined : await readPair(folder);
  if (identity !== undefined) return { ...identity, origin: "files" };
  if (folder !== undefined) {
    const message =
      "neither tls.crt nor tls.key is there; a self-signed certificate takes their place";
    log.warn("certificate-missing", { folder, message });
  }
  return { ...selfSignedCertificate(Date.now()), origin: "self-signed" };
}

/** Looks for a changed pair once a second: mounted secrets change by links, of which no event comes. */
export function followIdentity(
  folder: string,
  first: TlsIdentity,
  ports: { readonly log: Log; use(identity: TlsIdentity): void },
): { close(): void } {
  let current = first;
  let isLooking = false;
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      const next = await readPair(folder);
      if (next !== undefined && (next.cert !== current.cert || next.key !== current.key)) {
        current = next;
        ports.use(next);
        ports.log.info("certificate-reloaded", { folder });
      }
    } catch (error) {
      // The two files change one after the other; the next look finds a pair that belongs together.
      ports.log.warn("certificate-rejected", { folder, error: String(error) });
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return { close: () => clearInterval(timer) };
}

const LOOK_EVERY_MS = 1000;

async function readPair(folder: string): Promise<TlsIdentity | undefined> {
  const [cert, key] = await Promise.all(
    ["tls.crt", "tls.key"].map((name) => readOptional(join(folder, name))),
  );
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw fault(`${folder} must hold both tls.crt and tls.key`);
  }
  let isPair: boolean;
  try {
    isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw fault(`tls.crt or tls.key of ${folder} cannot be read: ${String(error)}`);
  }
  if (!isPair) throw fault(`tls.key of ${folder} is not the key of its tls.crt`);
  return { cert, key };
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw fault(`${file} cannot be read: ${String(error)}`);
  }
}

function fault(message: string): ConfigError {
  return new ConfigError([{ path: "--cert-path", message }]);
}
