import { type Address, configFlags, configHelp, formatAddress, readConfig } from "../config.js";
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
    console.log(readyMessage(service.summary, service.grpcAddress));
    await stopped;
    log.info("stopping: no new calls, those under way are finished");
    exitAfter(await service.close());
  },
};

function readyMessage(summary: readonly string[], grpc: Address): string {
  const request = `{"amount": {"currency_code": "EUR", "minor_units": "1999"}, "payment_method": "tok_visa"}`;
  return `payonce is ready
${summary.map((line) => `  ${line}`).join("\n")}

Send this twice. The second answer is the first one, with idempotency-replayed: true

  grpcurl -plaintext -v -H 'idempotency-key: order-1' -d '${request}' ${formatAddress(grpc)} payonce.payments.v1.PaymentService/CreatePayment
`;
}
