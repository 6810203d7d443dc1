import pg from "pg";
import { waitUntil } from "../service/service-process.js";

/** Until a busy machine has brought a call to the point. */
const ARRIVAL_LIMIT_MS = 20_000;

/** Names the advisory locks of breakpoints; nothing else in the product takes any with two numbers. */
const LOCK_SPACE = 1;

// Where a payment can be held up, each the moment before Postgres does something.
// A constraint trigger that is deferred runs within the COMMIT.
const triggers = {
  "claim, at its commit": atCommit("idempotency_records"),
  "begin, before its first write": "BEFORE INSERT ON payments FOR EACH ROW",
  "begin, between two writes": "BEFORE INSERT ON operations FOR EACH ROW",
  "begin, at its commit": atCommit("operations"),
  "noting that the outcome is unknown":
    "BEFORE UPDATE ON operations FOR EACH ROW WHEN (NEW.state = 'unknown')",
  "finish, before its first write":
    "BEFORE UPDATE ON operations FOR EACH ROW WHEN (NEW.state = 'approved')",
  "finish, before the ledger": "BEFORE INSERT ON ledger_entries FOR EACH ROW",
  "finish, before the answer":
    "BEFORE UPDATE ON idempotency_records FOR EACH ROW WHEN (NEW.state = 'completed')",
  "finish, at its commit": atCommit("ledger_entries"),
  "giving a claim back": "BEFORE DELETE ON idempotency_records FOR EACH ROW",
  "ending as not executed":
    "BEFORE UPDATE ON operations FOR EACH ROW WHEN (NEW.state = 'not_executed')",
};

export type Point = keyof typeof triggers;

/** A point that nobody passes until it is released. */
export interface Hold {
  /** Resolves once somebody waits there. */
  reached(): Promise<void>;
  /** Lets whoever waits go on: also a statement whose client is no more, up to its end. */
  release(): Promise<void>;
  /** Ends the connections of whoever waits, so that what they do is rolled back; then releases. */
  rollBack(): Promise<void>;
}

/** Prepares a database for `holdAt`. Its tables must be there. */
export async function installBreakpoints(database: pg.Pool): Promise<void> {
  await database.query(`
    CREATE FUNCTION wait_at_breakpoint() RETURNS trigger LANGUAGE plpgsql
    SET lock_timeout = 0 -- the product's own bound is for locks of its own
    AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${LOCK_SPACE}, TG_ARGV[0]::integer);
      RETURN coalesce(NEW, OLD);
    END $$`);
  for (const [index, trigger] of Object.values(triggers).entries()) {
    const kind = trigger.startsWith("AFTER") ? "CONSTRAINT TRIGGER" : "TRIGGER";
    await database.query(
      `CREATE ${kind} breakpoint_${index} ${trigger} EXECUTE FUNCTION wait_at_breakpoint(${index})`,
    );
  }
}

/** Holds up everyone who comes to the point, from now on. */
export async function holdAt(databaseUrl: string, point: Point): Promise<Hold> {
  const lock = [LOCK_SPACE, Object.keys(triggers).indexOf(point)];
  const holder = new pg.Client({ connectionString: databaseUrl });
  holder.on("error", () => {}); // a server that a test stops takes the lock with it
  await holder.connect();
  await holder.query("SELECT pg_advisory_lock($1, $2)", lock);

  async function waiting(): Promise<readonly number[]> {
    const { rows } = await holder.query<{ pid: number }>(
      `SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
       WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted
         AND l.classid = $1::integer::oid AND l.objid = $2::integer::oid`,
      lock,
    );
    return rows.map(({ pid }) => pid);
  }

  return {
    reached: () => waitUntil(async () => (await waiting()).length > 0, ARRIVAL_LIMIT_MS),
    release: () => holder.end(),
    async rollBack() {
      for (const pid of await waiting()) {
        await holder.query("SELECT pg_terminate_backend($1)", [pid]);
      }
      await waitUntil(async () => (await waiting()).length === 0, ARRIVAL_LIMIT_MS);
      await holder.end();
    },
  };
}

function atCommit(table: string): string {
  return `AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW`;
}
