import type { Intent, IntentStore } from "./intents.js";

/**
 * The SQL that makes the table of the Postgres store of intents: run it once, or put it among your own
 * migrations. Rows of settled intents may be deleted once the service has
 * forgotten their keys.
 */
export const INTENTS_TABLE_SQL = `
CREATE TABLE IF NOT EXISTS payonce_intents (
  name        text        PRIMARY KEY,
  key         text        NOT NULL,
  request     bytea       NOT NULL,
  create_time timestamptz NOT NULL,
  settle_time timestamptz
);
CREATE INDEX IF NOT EXISTS payonce_intents_unfinished ON payonce_intents (create_time)
  WHERE settle_time IS NULL;
`;

// The update changes nothing; it makes the statement return the row that was
// there first, and wait for a writer that is about to commit it.
const SAVE = `
INSERT INTO payonce_intents (name, key, request, create_time) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET name = payonce_intents.name
RETURNING name, key, request, create_time`;

const SETTLE = `
UPDATE payonce_intents SET settle_time = coalesce(settle_time, now()) WHERE name = $1
RETURNING name, key, request, create_time`;

const UNFINISHED = `
SELECT name, key, request, create_time FROM payonce_intents
WHERE settle_time IS NULL ORDER BY create_time LIMIT $1`;

/** A row as the database's client reads it: `bytea` as bytes, `timestamptz` as a Date. */
export interface IntentRow {
  readonly name: string;
  readonly key: string;
  readonly request: Uint8Array;
  readonly create_time: Date;
}

/** The part of a database's client that the store needs: the `query` of a pool of `pg`, or one like it. */
export interface IntentQueries {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly IntentRow[] }>;
}

/**
 * Makes a store of intents in a table of your own database, for any number of processes. Give it
 * a pool: in a transaction that is still open, nothing is saved yet.
 */
export function postgresIntentStore(pool: IntentQueries): IntentStore {
  return {
    async save({ name, key, request, createTime }) {
      const { rows } = await pool.query(SAVE, [name, key, request, createTime]);
      const [row] = rows;
      if (row === undefined) {
        throw new Error("the database returned no intent"); // RETURNING always does
      }
      return fromRow(row);
    },

    async settle(name) {
      const { rows } = await pool.query(SETTLE, [name]);
      if (rows.length === 0) {
        throw new Error(`there is no intent ${JSON.stringify(name)} to settle`);
      }
    },

    async unfinished(limit) {
      const { rows } = await pool.query(UNFINISHED, [limit]);
      return rows.map(fromRow);
    },
  };
}

function fromRow({ name, key, request, create_time: createTime }: IntentRow): Intent {
  return { name, key, request, createTime };
}
