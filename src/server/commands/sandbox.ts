import { join } from "node:path";
import { toggle } from "../config/flags.js";
import { stripeFaceOptions } from "../config/sandbox-options.js";
import { readConfig } from "../config.js";
import { command } from "./command.js";

export const sandbox = command({
  name: "sandbox",
  summary: "runs the sandbox processor alone",
  settings: [
    "sandboxListen",
    "sandboxTokenFile",
    "sandboxProfile",
    "sandboxStripeListen",
    "sandboxStripeSearchLagMs",
    "sandboxStripeMulticapture",
    "sandboxStripeWebhookUrl",
    "sandboxStripeWebhookSecret",
    "dataDir",
    "shutdownTimeoutMs",
  ],
  flags: {
    insecure: toggle("lets it listen beyond loopback, without TLS and authentication"),
  },
  async run(_, given) {
    const config = readConfig({ flags: given });
    const { within } = await import("../../runtime/within.js");
    const { exitAfter, untilStopped } = await import("../stop-signal.js");
    const stopped = untilStopped(); // before the line that says it runs: whoever reads that may stop it
    const { startConfiguredSandbox } = await import("../../dev-servers/start-sandbox.js");
    const running = await startConfiguredSandbox({
      listen: config.sandboxListen,
      dataDir: join(config.dataDir, "sandbox"),
      tokenFile: config.sandboxTokenFile,
      profile: config.sandboxProfile,
      ...stripeFaceOptions(config),
      log: (line) => console.log(line),
    });
    await stopped;
    const hasClosed = await within(running.close(), config.shutdownTimeoutMs);
    return exitAfter(hasClosed ? "drained" : "left behind");
  },
});
