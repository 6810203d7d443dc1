import { startSandbox } from "../../sandbox/server.js";
import { parseAddress } from "../config/address.js";

// The child process of startSandboxProcess: tells its address, and ends with its parent.
const [listen = "", dataDir = ""] = process.argv.slice(2);
const address = parseAddress(listen);
if (address === undefined) {
  throw new TypeError("the first argument must be host:port");
}
try {
  const sandbox = await startSandbox({ listen: address, dataDir });
  process.on("disconnect", () => sandbox.close().finally(() => process.exit()));
  process.send?.(sandbox.address);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
