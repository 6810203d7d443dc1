import { readFile } from "node:fs/promises";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { naming } from "../naming.js";
import type { Flags } from "./command.js";

/** The flag that makes a command speak TLS to the service. */
export const TLS_CA_FLAG = "tls-ca-file";

/** How a command reaches the service: TLS where it is told whom to trust, else cleartext. */
export async function serviceCredentials(flags: Flags): Promise<ChannelCredentials> {
  const path = flags[TLS_CA_FLAG];
  return typeof path === "string"
    ? credentials.createSsl(await naming(`--${TLS_CA_FLAG}`, () => readFile(path)))
    : credentials.createInsecure();
}
