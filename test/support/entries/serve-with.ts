import type { PoolClient } from "pg";
import type { IdempotencyStore } from "../../../src/idempotency/store.js";
import { readConfig } from "../../../src/server/config.js";
import { createLogger } from "../../../src/server/log.js";
import { startService } from "../../../src/server/service.js";
import { untilStopped } from "../../../src/server/stop-signal.js";

/** Runs the service with the given gate, and says so as `payonce serve` does. */
export async function serveWith(
  gate: (record: IdempotencyStore<PoolClient>) => IdempotencyStore<PoolClient>,
): Promise<void> {
  const config = readConfig();
  const service = await startService({ config, log: createLogger(config.logLevel), gate });
  console.log(["payonce is ready", ...service.summary.map((line) => `  ${line}`)].join("\n"));
  await untilStopped();
  await service.close();
}
