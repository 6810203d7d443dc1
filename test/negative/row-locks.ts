import pg from "pg";

/** A connection of the test's own that locks rows. */
export interface Holder {
  readonly pid: number | undefined;
  /** Resolves once it has them. */
  readonly held: Promise<unknown>;
  release(): Promise<void>;
}

export async function hold(databaseUrl: string, select: string): Promise<Holder> {
  const holder = new pg.Client({ connectionString: databaseUrl });
  holder.on("error", () => {}); // a test that fails drops the database under it
  await holder.connect();
  const { rows } = await holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await holder.query("BEGIN");
  return { pid: rows[0]?.pid, held: holder.query(select), release: () => holder.end() };
}

/** Holds up whoever reads a payment, and nothing else that an attempt reads. */
export const STOP_READING = "LOCK TABLE payments IN ACCESS EXCLUSIVE MODE";

export interface Waiting {
  readonly pid: number;
  readonly query: string;
  /** For how long already. Milliseconds. */
  readonly waits_ms: number;
}

/** The connections that wait for what another one holds. */
export async function waitingFor(pool: pg.Pool, { pid }: Holder): Promise<readonly Waiting[]> {
  const { rows } = await pool.query<Waiting>(
    `SELECT pid, query,
       (extract(epoch FROM clock_timestamp() - query_start) * 1000)::float8 AS waits_ms
     FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`,
    [pid],
  );
  return rows;
}
