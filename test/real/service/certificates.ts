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

export interface IssueOptions {
  readonly unit?: string;
  /** How long it is valid from now on. */
  readonly days?: number;
}

export interface CertificateAuthority extends Certificate {
  /** Signs a certificate for 127.0.0.1, as a server or a client, with an organizational unit if one is given. */
  issue(commonName: string, options?: IssueOptions): Promise<Certificate>;
}

/** Makes an authority that nobody else trusts, with the openssl command. */
export async function createAuthority(
  directory: string,
  name: string,
): Promise<CertificateAuthority> {
  const authority = await make(directory, { commonName: name, days: 2, more: [] });
  return {
    ...authority,
    issue: (commonName, { unit, days = 2 } = {}) =>
      make(directory, {
        commonName,
        unit,
        days,
        more: [
          ...["-CA", authority.certFile, "-CAkey", authority.keyFile],
          ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"],
        ],
      }),
  };
}

interface Request {
  readonly commonName: string;
  readonly unit?: string | undefined;
  readonly days: number;
  readonly more: readonly string[];
}

async function make(
  directory: string,
  { commonName, unit, days, more }: Request,
): Promise<Certificate> {
  const name = [commonName, ...(unit === undefined ? [] : [unit]), days].join("-");
  const certFile = join(directory, `${name}.pem`);
  const keyFile = join(directory, `${name}.key`);
  const subject = `/CN=${commonName}${unit === undefined ? "" : `/OU=${unit}`}`;
  await run("openssl", [
    ...["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-days", String(days), "-subj", subject, "-out", certFile, "-keyout", keyFile],
    ...more,
  ]);
  return { certFile, keyFile, cert: await readFile(certFile), key: await readFile(keyFile) };
}
