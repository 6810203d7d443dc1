import { settingNames } from "../config/settings.js";
import { insecureFlags, readConfig } from "../config.js";
import { command } from "./command.js";

export const serve = command({
  name: "serve",
  summary: "runs the payment service",
  settings: settingNames,
  flags: insecureFlags,
  async run(_, given) {
    const config = readConfig({ flags: given });
    const { firstCall, variablesOf } = await import("../first-call.js");
    const { createLogger, logGrpc } = await import("../log.js");
    const { startService } = await import("../service.js");
    const { exitAfter, untilStopped } = await import("../stop-signal.js");
    const log = createLogger(config.logLevel);
    logGrpc(log);
    const service = await startService({ config, log });
    const stopped = untilStopped(); // before the line that says it runs: whoever reads that may stop it
    const call = firstCall(config, service.grpcAddress);
    console.log(readyMessage(service.summary, call, variablesOf(call)));
    await stopped;
    log.info("stopping: no new calls, those under way are finished");
    return exitAfter(await service.close());
  },
});

function readyMessage(
  summary: readonly string[],
  call: string,
  variables: readonly string[],
): string {
  return `payonce is ready
${indented(summary)}

Send this twice. The second answer is the first one, with idempotency-replayed: true

  ${call}
${variables.length === 0 ? "" : `\nSet before:\n${indented(variables)}\n`}`;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
