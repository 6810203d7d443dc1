import { join } from "node:path";
import { startSandbox } from "../../sandbox/server.js";
import { configFlags, configHelp, readConfig, type SettingName } from "../config.js";
import { untilStopped } from "../stop-signal.js";
import type { Command } from "./command.js";

const SETTINGS: readonly SettingName[] = ["sandboxListen", "dataDir"];

export const sandbox: Command = {
  summary: "runs the sandbox processor alone",
  help: () => configHelp(SETTINGS),
  options: configFlags(SETTINGS),
  async run(flags) {
    const config = readConfig({ flags });
    const running = await startSandbox({
      listen: config.sandboxListen,
      dataDir: join(config.dataDir, "sandbox"),
      log: (line) => console.log(line),
    });
    await untilStopped();
    await running.close();
    return 0;
  },
};
