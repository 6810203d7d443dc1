import { Client, credentials } from "@grpc/grpc-js";
import { audit as decide } from "../../audit/audit.js";
import { collectFacts, type FactSources } from "../../audit/collect-facts.js";
import { readDatabase } from "../../audit/read-database.js";
import { readJournal, readJournalFile } from "../../audit/read-journal.js";
import { MAX_ATTEMPTS } from "../../idempotency/running.js";
import { openDatabase } from "../../stores/postgres/index.js";
import { configFlags, configHelp, readConfig, type SettingName } from "../config.js";
import { withErrorPrefix } from "../error-prefix.js";
import { auditJson, auditText } from "./audit-text.js";
import { addressFlag, type Command, type Flags, numberFlag, UsageError } from "./command.js";

const SETTINGS: readonly SettingName[] = [
  "databaseUrl",
  "idempotencyLeaseMs",
  "recoveryIntervalMs",
  "processorKeyWindowMs",
  // A window is accepted only with calls that are shorter.
  "processorTimeoutMs",
];

/** A day: what nobody has taken up by then is no work under way. */
const MAX_BOUND_MS = 86_400_000;

/** As many as the column of attempts can count. */
const MOST_ATTEMPTS = 2 ** 31 - 1;

const EXAMPLE_PROCESSOR = "127.0.0.1:50061";

export const audit: Command = {
  summary: "decides the invariants against a database and the processor's journal",
  help: () => `${configHelp(SETTINGS)}
  --processor   the sandbox processor whose journal is read, host:port
  --journal     the journal's file instead, such as .payonce/sandbox/journal.jsonl
  --bound-ms    for how long work may be under way with nobody at it
                (default: IDEMPOTENCY_LEASE_MS and RECOVERY_INTERVAL_MS together)
  --max-attempts  after how many attempts without an outcome a key is held (default: ${MAX_ATTEMPTS})
  --json        prints JSON, with every violation

Reads only, one snapshot, also while payments are being made. Exits with 1 if an
invariant is violated.`,
  options: {
    ...configFlags(SETTINGS),
    processor: { type: "string" },
    journal: { type: "string" },
    "bound-ms": { type: "string" },
    "max-attempts": { type: "string" },
    json: { type: "boolean" },
  },
  async run(flags) {
    const config = readConfig({ flags });
    const { databaseUrl, idempotencyLeaseMs, recoveryIntervalMs } = config;
    if (databaseUrl === undefined) {
      throw new UsageError("DATABASE_URL names the database to audit");
    }
    const boundMs = numberFlag(flags, "bound-ms", {
      otherwise: idempotencyLeaseMs + recoveryIntervalMs,
      min: 0,
      max: MAX_BOUND_MS,
    });
    const maxAttempts = numberFlag(flags, "max-attempts", {
      otherwise: MAX_ATTEMPTS,
      min: 1,
      max: MOST_ATTEMPTS,
    });
    const journal = openJournal(flags);
    const pool = openDatabase(databaseUrl, () => {}, { plans: "any" });
    try {
      const facts = await collectFacts({
        readDatabase: () => withErrorPrefix("DATABASE_URL", () => readDatabase(pool)),
        readEffects: journal.read,
        boundMs,
        keyWindowMs: config.processorKeyWindowMs,
        maxAttempts,
      });
      const report = decide(facts);
      console.log((flags.json === true ? auditJson : auditText)(report));
      return report.results.every(({ violations }) => violations.length === 0) ? 0 : 1;
    } finally {
      journal.close();
      await pool.end();
    }
  },
};

interface OpenJournal {
  readonly read: FactSources["readEffects"];
  readonly close: () => void;
}

function openJournal(flags: Flags): OpenJournal {
  const { processor, journal } = flags;
  if ((processor === undefined) === (journal === undefined)) {
    throw new UsageError("either --processor or --journal says where the processor's journal is");
  }
  if (typeof journal === "string") {
    return {
      read: (after) => withErrorPrefix("--journal", () => readJournalFile(journal, after)),
      close: () => {},
    };
  }
  const client = new Client(
    addressFlag(flags, "processor", EXAMPLE_PROCESSOR),
    credentials.createInsecure(),
  );
  return {
    read: async (after) =>
      (await withErrorPrefix("--processor", () => readJournal(client, after))).effects,
    close: () => client.close(),
  };
}
