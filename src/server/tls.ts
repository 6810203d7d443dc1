import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type TLSSocket, type TlsOptions } from "node:tls";
import type { Config } from "./config.js";
import { withErrorPrefix } from "./error-prefix.js";

/** The certificate and keys of both servers, in PEM. */
export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clients?: {
    /** The authorities whose signature on a client's certificate is trusted. */
    readonly ca: Buffer;
    /** Says whether a client may connect without a certificate, to be identified in another way. */
    readonly certificate: "required" | "optional";
  };
}

/** A server's options for TLS. Where a certificate is optional, `isForged` has to be asked. */
export function tlsOptions({ cert, key, clients }: Tls): TlsOptions {
  return {
    cert,
    key,
    ...(clients && {
      ca: clients.ca,
      requestCert: true,
      // Where this is set, OpenSSL refuses a client without a certificate too.
      rejectUnauthorized: clients.certificate === "required",
    }),
  };
}

/** Returns true if the client has presented a certificate that nobody trusted has signed. */
export function isForged(socket: TLSSocket): boolean {
  // Of a socket that has broken off there is no certificate to be had.
  return !socket.authorized && socket.getPeerCertificate()?.raw !== undefined;
}

/**
 * Reads the files of TLS; undefined where none is configured.
 * @throws if one cannot be read or is not what it should be; the message names the setting.
 */
export async function readTls(
  config: Pick<Config, "tlsCertFile" | "tlsKeyFile" | "tlsClientCaFile" | "authTokensFile">,
): Promise<Tls | undefined> {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, authTokensFile } = config;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    return undefined;
  }
  const cert = await withErrorPrefix("TLS_CERT_FILE", () => readFile(tlsCertFile));
  const key = await withErrorPrefix("TLS_KEY_FILE", () => readFile(tlsKeyFile));
  await withErrorPrefix("TLS_CERT_FILE, TLS_KEY_FILE", () => createSecureContext({ cert, key }));
  if (tlsClientCaFile === undefined) {
    return { cert, key };
  }
  const ca = await withErrorPrefix("TLS_CLIENT_CA_FILE", async () => {
    const pem = await readFile(tlsClientCaFile);
    new X509Certificate(pem); // a server would take anything, and then trust nobody
    return pem;
  });
  return {
    cert,
    key,
    clients: { ca, certificate: authTokensFile === undefined ? "required" : "optional" },
  };
}

const DAY_MS = 86_400_000;

/** The time before its end at which a certificate should have been replaced, so that a failed renewal leaves time. Days. */
const SOON_DAYS = 14;

/** Warnings about the time in which the server's certificate is valid, for the log. */
export function certificateWarnings({ cert }: Pick<Tls, "cert">, nowMs: number): readonly string[] {
  const { validFrom, validTo } = new X509Certificate(cert);
  const remainingDays = Math.floor((Date.parse(validTo) - nowMs) / DAY_MS);
  if (nowMs < Date.parse(validFrom)) {
    return [
      `TLS_CERT_FILE: the certificate is not valid before ${validFrom}: clients refuse it until then`,
    ];
  }
  if (nowMs > Date.parse(validTo)) {
    return [`TLS_CERT_FILE: the certificate expired on ${validTo}: clients refuse it`];
  }
  return remainingDays < SOON_DAYS
    ? [`TLS_CERT_FILE: the certificate expires on ${validTo}, in ${remainingDays} days`]
    : [];
}
