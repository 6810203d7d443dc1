import { readFile } from "node:fs/promises";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { optional, type Values } from "../config/flags.js";
import { path } from "../config/schemas.js";
import { withErrorPrefix } from "../error-prefix.js";
import { UsageError } from "./command.js";

/** The flags that say how to reach the service. */
export const tlsFlags = {
  tlsCaFile: optional("TLS is not used", {
    meaning: "who signed the service's certificate (PEM)",
    schema: path("file"),
  }),
  tlsCertFile: optional("no client certificate", {
    meaning: "a client certificate (PEM), where the service wants one; needs --tls-key-file",
    schema: path("file"),
  }),
  tlsKeyFile: optional("no client certificate", {
    meaning: "the private key of --tls-cert-file (PEM)",
    schema: path("file"),
  }),
};

/** Makes the credentials of a command's calls: over TLS where a flag names whom to trust, else in cleartext. */
export async function serviceCredentials({
  tlsCaFile,
  tlsCertFile,
  tlsKeyFile,
}: Values<typeof tlsFlags>): Promise<ChannelCredentials> {
  if ((tlsKeyFile === undefined) !== (tlsCertFile === undefined)) {
    throw new UsageError("--tls-cert-file and --tls-key-file are accepted only together");
  }
  if (tlsCaFile === undefined && tlsCertFile !== undefined) {
    throw new UsageError("--tls-cert-file is accepted only together with --tls-ca-file");
  }
  const { credentials } = await import("@grpc/grpc-js");
  if (tlsCaFile === undefined) {
    return credentials.createInsecure();
  }
  return credentials.createSsl(
    await contentOf("--tls-ca-file", tlsCaFile),
    tlsKeyFile === undefined ? null : await contentOf("--tls-key-file", tlsKeyFile),
    tlsCertFile === undefined ? null : await contentOf("--tls-cert-file", tlsCertFile),
  );
}

function contentOf(flag: string, file: string): Promise<Buffer> {
  return withErrorPrefix(flag, () => readFile(file));
}
