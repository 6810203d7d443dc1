import { readFile } from "node:fs/promises";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { withErrorPrefix } from "../error-prefix.js";
import { type Command, type Flags, UsageError } from "./command.js";

const CA_FLAG = "tls-ca-file";
const CERT_FLAG = "tls-cert-file";
const KEY_FLAG = "tls-key-file";

/** The flags by which a command is told how to reach the service. */
export const tlsFlags: Command["options"] = {
  [CA_FLAG]: { type: "string" },
  [CERT_FLAG]: { type: "string" },
  [KEY_FLAG]: { type: "string" },
};

/** How a command reaches the service: TLS where it is told whom to trust, else cleartext. */
export async function serviceCredentials(flags: Flags): Promise<ChannelCredentials> {
  const ca = await fileOf(flags, CA_FLAG);
  const key = await fileOf(flags, KEY_FLAG);
  const cert = await fileOf(flags, CERT_FLAG);
  if ((key === undefined) !== (cert === undefined)) {
    throw new UsageError(`--${CERT_FLAG} and --${KEY_FLAG} are accepted only together`);
  }
  if (ca === undefined) {
    if (cert !== undefined) {
      throw new UsageError(`--${CERT_FLAG} is accepted only together with --${CA_FLAG}`);
    }
    return credentials.createInsecure();
  }
  return credentials.createSsl(ca, key, cert);
}

async function fileOf(flags: Flags, name: string): Promise<Buffer | undefined> {
  const path = flags[name];
  return typeof path === "string" ? withErrorPrefix(`--${name}`, () => readFile(path)) : undefined;
}
