import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where a certificate and its key are, and what they hold. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface CertificateAuthority extends Certificate {
  /** Signs a certificate for 127.0.0.1, as a server or a client. */
  issue(commonName: string): Promise<Certificate>;
}

/** Makes an authority that nobody else trusts, with the openssl command. */
export async function createAuthority(
  directory: string,
  name: string,
): Promise<CertificateAuthority> {
  const authority = await make(directory, name, []);
  return {
    ...authority,
    issue: (commonName) =>
      make(directory, commonName, [
        ...["-CA", authority.certFile, "-CAkey", authority.keyFile],
        ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"],
      ]),
  };
}

async function make(
  directory: string,
  commonName: string,
  more: readonly string[],
): Promise<Certificate> {
  const certFile = join(directory, `${commonName}.pem`);
  const keyFile = join(directory, `${commonName}.key`);
  await run("openssl", [
    ...["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-days", "2", "-subj", `/CN=${commonName}`, "-out", certFile, "-keyout", keyFile],
    ...more,
  ]);
  return { certFile, keyFile, cert: await readFile(certFile), key: await readFile(keyFile) };
}
