import { optional, toggle } from "../config/flags.js";
import { time } from "../config/schemas.js";
import { readConfig } from "../config.js";
import { withErrorPrefix } from "../error-prefix.js";
import { command, UsageError } from "./command.js";
import { reportLostConnection } from "./lost-connection.js";

/** The span that is compared where none is given: a day. Milliseconds. */
const DEFAULT_SPAN_MS = 24 * 3_600_000;

export const reconcile = command({
  name: "reconcile",
  summary: "compares the processor's own list with payments and ledger",
  settings: [
    "databaseUrl",
    "databaseSchema",
    "processorUrl",
    "processorTimeoutMs",
    "stripeSecretKey",
    "stripeSecretKeyFile",
    "stripeApiBase",
  ],
  flags: {
    since: optional("a day before --until", {
      meaning: "the time since when the payments were created",
      schema: time,
    }),
    until: optional("now", {
      meaning: "the time until when they were created",
      schema: time,
    }),
    json: toggle("prints JSON, with every difference"),
  },
  notes: `
Reads only, also while payments are being made: those that are moving are counted,
and compared once they have come to rest. Exits with 1 if something differs.`,
  async run({ since, until = new Date(), json }, given) {
    const config = readConfig({ flags: given });
    const { databaseUrl, databaseSchema: schema } = config;
    if (databaseUrl === undefined) {
      throw new UsageError("DATABASE_URL names the database to compare");
    }
    if (config.processorUrl === undefined || config.processorUrl.kind === "instant") {
      throw new UsageError("PROCESSOR_URL names the processor whose list is read");
    }
    const span = { since: since ?? new Date(until.getTime() - DEFAULT_SPAN_MS), until };
    if (span.since >= span.until) {
      throw new UsageError("--since accepts a time before --until");
    }
    const { openDatabase } = await import("../../stores/postgres/index.js");
    const { readList, reconcile: compare } = await import("../../audit/reconcile/reconcile.js");
    const { databaseTime } = await import("../../audit/database-time.js");
    const { reconciliationJson, reconciliationText } = await import("./reconcile-text.js");
    const { openProcessor } = await import("../dependencies.js");
    const { createShutdown } = await import("../shutdown.js");
    const { createLogger } = await import("../log.js");
    const shutdown = createShutdown();
    const pool = openDatabase(databaseUrl, reportLostConnection, { plans: "any", schema });
    shutdown.add(() => pool.end());
    try {
      const log = createLogger(config.logLevel);
      const { value: processor } = await openProcessor({ config, log, shutdown });
      const now = await withErrorPrefix("DATABASE_URL", () => databaseTime(pool));
      const listed = await withErrorPrefix("PROCESSOR_URL", () => readList(processor, span, now));
      const result = await withErrorPrefix("DATABASE_URL", () => compare(pool, listed, span));
      console.log((json ? reconciliationJson : reconciliationText)(result));
      return result.differences.length === 0 ? 0 : 1;
    } finally {
      await shutdown.closeWithin(config.shutdownTimeoutMs);
    }
  },
});
