import type { FactSources } from "../../audit/collect-facts.js";
import { MAX_ATTEMPTS } from "../../idempotency/execution/running.js";
import { DEFAULT_WINDOW_MS } from "../../payments/key-window.js";
import { optional, toggle, withDefault } from "../config/flags.js";
import { count, path, serverAddress } from "../config/schemas.js";
import { readConfig } from "../config.js";
import { withErrorPrefix } from "../error-prefix.js";
import { command, UsageError } from "./command.js";
import { reportLostConnection } from "./lost-connection.js";

/** A day: what nobody has taken up by then is no work under way. */
const MAX_BOUND_MS = 86_400_000;

/** The largest number that the column of attempts can hold. */
const MOST_ATTEMPTS = 2 ** 31 - 1;

export const audit = command({
  name: "audit",
  summary: "decides the invariants against a database and the processor's journal",
  settings: [
    "databaseUrl",
    "databaseSchema",
    "idempotencyLeaseMs",
    "recoveryIntervalMs",
    "processorKeyWindowMs",
    // A window is accepted only with calls that are shorter.
    "processorTimeoutMs",
  ],
  flags: {
    processor: optional("--journal names a file", {
      meaning: "the sandbox processor whose journal is read",
      schema: serverAddress("127.0.0.1:50061"),
    }),
    journal: optional("--processor is asked", {
      meaning: "the journal's file, such as .payonce/sandbox/journal.jsonl",
      schema: path("file"),
    }),
    boundMs: optional("IDEMPOTENCY_LEASE_MS and RECOVERY_INTERVAL_MS together", {
      meaning: "for how long work may be under way with nobody at it",
      schema: count(0, MAX_BOUND_MS),
    }),
    maxAttempts: withDefault(String(MAX_ATTEMPTS), {
      meaning: "after how many attempts without an outcome a key is held",
      schema: count(1, MOST_ATTEMPTS),
    }),
    json: toggle("prints JSON, with every violation"),
  },
  notes: `
Reads only, one snapshot, also while payments are being made. Exits with 1 if an
invariant is violated.`,
  async run({ processor, journal, boundMs, maxAttempts, json }, given) {
    const {
      databaseUrl,
      databaseSchema: schema,
      idempotencyLeaseMs,
      recoveryIntervalMs,
      processorKeyWindowMs = DEFAULT_WINDOW_MS,
    } = readConfig({ flags: given });
    if (databaseUrl === undefined) {
      throw new UsageError("DATABASE_URL names the database to audit");
    }
    const effects = await openJournal({ processor, journal });
    const { openDatabase } = await import("../../stores/postgres/index.js");
    const { readDatabase } = await import("../../audit/read-database.js");
    const { collectFacts } = await import("../../audit/collect-facts.js");
    const { audit: decide } = await import("../../audit/audit.js");
    const { auditJson, auditText } = await import("./audit-text.js");
    const pool = openDatabase(databaseUrl, reportLostConnection, { plans: "any", schema });
    try {
      const facts = await collectFacts({
        readDatabase: () => withErrorPrefix("DATABASE_URL", () => readDatabase(pool)),
        readEffects: effects.read,
        boundMs: boundMs ?? idempotencyLeaseMs + recoveryIntervalMs,
        keyWindowMs: processorKeyWindowMs,
        maxAttempts,
      });
      const report = decide(facts);
      console.log((json ? auditJson : auditText)(report));
      return report.results.every(({ violations }) => violations.length === 0) ? 0 : 1;
    } finally {
      effects.close();
      await pool.end();
    }
  },
});

interface OpenJournal {
  readonly read: FactSources["readEffects"];
  readonly close: () => void;
}

async function openJournal({
  processor,
  journal,
}: {
  readonly processor: string | undefined;
  readonly journal: string | undefined;
}): Promise<OpenJournal> {
  if ((processor === undefined) === (journal === undefined)) {
    throw new UsageError("either --processor or --journal says where the processor's journal is");
  }
  const { readJournal, readJournalFile } = await import("../../audit/read-journal.js");
  if (journal !== undefined) {
    return {
      read: (after) => withErrorPrefix("--journal", () => readJournalFile(journal, after)),
      close: () => {},
    };
  }
  const { Client, credentials } = await import("@grpc/grpc-js");
  const client = new Client(processor ?? "", credentials.createInsecure());
  return {
    read: async (after) =>
      (await withErrorPrefix("--processor", () => readJournal(client, after))).effects,
    close: () => client.close(),
  };
}
