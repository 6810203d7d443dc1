import { join } from "node:path";
import { within } from "../../runtime/within.js";
import { startSandbox } from "../../sandbox/server.js";
import { configFlags, configHelp, readConfig, type SettingName } from "../config.js";
import { exitAfter, untilStopped } from "../stop-signal.js";
import type { Command } from "./command.js";

const SETTINGS: readonly SettingName[] = ["sandboxListen", "dataDir", "shutdownTimeoutMs"];

export const sandbox: Command = {
  summary: "runs the sandbox processor alone",
  help: () => configHelp(SETTINGS),
  options: configFlags(SETTINGS),
  async run(flags) {
    const config = readConfig({ flags });
    const stopped = untilStopped(); // before anybody is told that it runs, and may stop it
    const running = await startSandbox({
      listen: config.sandboxListen,
      dataDir: join(config.dataDir, "sandbox"),
      log: (line) => console.log(line),
    });
    await stopped;
    const hasClosed = await within(running.close(), config.shutdownTimeoutMs);
    exitAfter(hasClosed ? "drained" : "left behind");
  },
};
