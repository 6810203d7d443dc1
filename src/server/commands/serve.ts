import { configFlags, configHelp, readConfig } from "../config.js";
import { firstCall, variablesOf } from "../first-call.js";
import { createLogger, logGrpc } from "../log.js";
import { startService } from "../service.js";
import { exitAfter, untilStopped } from "../stop-signal.js";
import type { Command } from "./command.js";

export const serve: Command = {
  summary: "runs the payment service",
  help: configHelp,
  options: configFlags(),
  async run(flags) {
    const config = readConfig({ flags });
    const log = createLogger(config.logLevel);
    logGrpc(log);
    const service = await startService({ config, log });
    const stopped = untilStopped(); // before anybody is told that it runs, and may stop it
    console.log(readyMessage(service.summary, firstCall(config, service.grpcAddress)));
    await stopped;
    log.info("stopping: no new calls, those under way are finished");
    exitAfter(await service.close());
  },
};

function readyMessage(summary: readonly string[], call: string): string {
  const variables = variablesOf(call);
  return `payonce is ready
${indented(summary)}

Send this twice. The second answer is the first one, with idempotency-replayed: true

  ${call}
${variables.length === 0 ? "" : `\nSet before:\n${indented(variables)}\n`}`;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
