import { serve } from "../../../src/server/commands/serve.js";
import { readConfig } from "../../../src/server/config.js";
import { createLogger } from "../../../src/server/log.js";
import { type ServiceOptions, startService } from "../../../src/server/service.js";
import { exitAfter, untilStopped } from "../../../src/server/stop-signal.js";

/** Runs the service with parts of it replaced, and says so as `payonce serve` does. */
export async function serveWith(replaced: Omit<ServiceOptions, "config" | "log">): Promise<void> {
  serve.parseOptions(process.argv.slice(3));
  const config = readConfig({ flags: serve.opts() });
  const service = await startService({ config, log: createLogger(config.logLevel), ...replaced });
  const stopped = untilStopped();
  console.log(["payonce is ready", ...service.summary.map((line) => `  ${line}`)].join("\n"));
  await stopped;
  exitAfter(await service.close());
}
