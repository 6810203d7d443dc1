import { once } from "node:events";
import { parseAddress } from "../server/config/address.js";
import {
  OPTIONS_FOLLOW,
  type SandboxEntryOptions,
  type SandboxMessage,
} from "./sandbox-process.js";
import { startConfiguredSandbox } from "./start-sandbox.js";

// The child process of startSandboxProcess: tells its address, or why it has none, and ends with its parent.
const [listen = "", dataDir = "", rest] = process.argv.slice(2);
const [options]: SandboxEntryOptions[] =
  rest === OPTIONS_FOLLOW ? await once(process, "message") : [];
const address = parseAddress(listen);
if (address === undefined) {
  throw new TypeError("the first argument must be host:port");
}
try {
  const sandbox = await startConfiguredSandbox({
    ...{ tokenFile: undefined, ...options },
    ...{ listen: address, dataDir },
  });
  process.on("disconnect", () => sandbox.close().finally(() => process.exit()));
  tell({ kind: "listening", address: sandbox.address, stripeAddress: sandbox.stripeAddress });
} catch (error) {
  tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  process.disconnect?.();
}

function tell(message: SandboxMessage): void {
  process.send?.(message);
}
