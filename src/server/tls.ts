import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Config } from "./config.js";
import { naming } from "./naming.js";

/** What both servers use for TLS, in PEM. */
export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs client certificates. Present: nobody connects without one. */
  readonly clientCa?: Buffer;
}

/**
 * Reads the files of TLS; undefined where none is configured.
 * @throws if one cannot be read or is not what it should be; the message names the setting.
 */
export async function readTls(
  config: Pick<Config, "tlsCertFile" | "tlsKeyFile" | "tlsClientCaFile">,
): Promise<Tls | undefined> {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile } = config;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    return undefined;
  }
  const cert = await naming("TLS_CERT_FILE", () => readFile(tlsCertFile));
  const key = await naming("TLS_KEY_FILE", () => readFile(tlsKeyFile));
  await naming("TLS_CERT_FILE, TLS_KEY_FILE", () => createSecureContext({ cert, key }));
  if (tlsClientCaFile === undefined) {
    return { cert, key };
  }
  const clientCa = await naming("TLS_CLIENT_CA_FILE", async () => {
    const pem = await readFile(tlsClientCaFile);
    new X509Certificate(pem); // a server would take anything, and then trust nobody
    return pem;
  });
  return { cert, key, clientCa };
}
