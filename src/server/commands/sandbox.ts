import { join } from "node:path";
import { within } from "../../runtime/within.js";
import { configFlags, configHelp, INSECURE_FLAG, readConfig, type SettingName } from "../config.js";
import { exitAfter, untilStopped } from "../stop-signal.js";
import type { Command } from "./command.js";

const SETTINGS: readonly SettingName[] = [
  "sandboxListen",
  "sandboxTokenFile",
  "dataDir",
  "shutdownTimeoutMs",
];

export const sandbox: Command = {
  summary: "runs the sandbox processor alone",
  help: () => `${configHelp(SETTINGS)}
  --${INSECURE_FLAG}  lets it listen beyond loopback, without TLS and authentication`,
  options: { ...configFlags(SETTINGS), [INSECURE_FLAG]: { type: "boolean" } },
  async run(flags) {
    const config = readConfig({ flags });
    const stopped = untilStopped(); // before anybody is told that it runs, and may stop it
    const { startConfiguredSandbox } = await import("../../dev-servers/start-sandbox.js");
    const running = await startConfiguredSandbox({
      listen: config.sandboxListen,
      dataDir: join(config.dataDir, "sandbox"),
      tokenFile: config.sandboxTokenFile,
      log: (line) => console.log(line),
    });
    await stopped;
    const hasClosed = await within(running.close(), config.shutdownTimeoutMs);
    exitAfter(hasClosed ? "drained" : "left behind");
  },
};
