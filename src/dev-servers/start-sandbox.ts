import { readFile } from "node:fs/promises";
import type { FaultAccess } from "../sandbox/fault-access.js";
import type { ProfileName } from "../sandbox/profiles.js";
import {
  ListenError,
  type Sandbox,
  type StripeFaceOptions,
  startSandbox,
} from "../sandbox/server.js";
import { type Address, isLoopback } from "../server/config/address.js";
import { withErrorPrefix } from "../server/error-prefix.js";

export interface ConfiguredSandbox extends StripeFaceOptions {
  readonly listen: Address;
  readonly dataDir: string;
  /** Holds the token that faults take. */
  readonly tokenFile: string | undefined;
  /** The acquirer whose habits it takes on; none unless given. */
  readonly profile?: ProfileName | undefined;
  readonly log?: (line: string) => void;
}

const LISTEN_SETTINGS = { grpc: "SANDBOX_LISTEN", stripe: "SANDBOX_STRIPE_LISTEN" } as const;

/** Starts the sandbox as the settings say. @throws if it cannot; the message names the setting. */
export async function startConfiguredSandbox({
  tokenFile,
  ...options
}: ConfiguredSandbox): Promise<Sandbox> {
  const faults = await faultAccess(options.listen, tokenFile);
  try {
    return await startSandbox({ ...options, faults });
  } catch (error) {
    const setting = error instanceof ListenError ? LISTEN_SETTINGS[error.face] : "DATA_DIR";
    return await withErrorPrefix(setting, () => Promise.reject(error));
  }
}

async function faultAccess(listen: Address, tokenFile: string | undefined): Promise<FaultAccess> {
  if (tokenFile !== undefined) {
    const token = await withErrorPrefix("SANDBOX_TOKEN_FILE", () => readToken(tokenFile));
    return { kind: "bearer", token };
  }
  return { kind: isLoopback(listen.host) ? "anybody" : "nobody" };
}

// A token that a header can carry, and nobody can guess.
const TOKEN = /^[a-z0-9._~+/-]{16,}=*$/i;

async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, "utf8")).trim();
  if (!TOKEN.test(token)) {
    throw new Error("the file accepts one token, 16 characters or more of a-z, 0-9 and ._~+/-");
  }
  return token;
}
