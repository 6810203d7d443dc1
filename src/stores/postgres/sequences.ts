import pg, { type Pool, type PoolClient } from "pg";

/** Numbers that a sequence may give out while it is being raised, and more. */
const MARGIN = 1_000;

/** More tokens than were given out between what was restored and what was lost. */
const LOST_TOKENS = 2 ** 20;

/** Reads of whole tables take as long as these are large; the driver's timers know no more. Milliseconds. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

const INSUFFICIENT_PRIVILEGE = "42501";

/** A sequence beside the column that takes its numbers. */
export interface SequenceState {
  readonly sequence: string;
  readonly table: string;
  /** The number that it gave out last; 0 before the first. */
  readonly last: bigint;
  /** The largest number in the column. */
  readonly highest: bigint;
}

interface SequenceRow {
  readonly id: number;
  readonly sequence: string;
  readonly table: string;
  readonly column: string;
}

/** Those behind the columns of the schema, and that of the fencing tokens, as far as this role may read them. */
const SEQUENCES = `
  WITH sequences AS (
    SELECT objid AS id, refobjid AS table_id, refobjsubid AS column_number
    FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
      AND deptype IN ('a', 'i') AND refobjsubid > 0
    UNION ALL
    SELECT to_regclass('idempotency_fencing_tokens'), attrelid, attnum
    FROM pg_attribute
    WHERE attrelid IN (to_regclass('idempotency_records'), to_regclass('idempotency_events'))
      AND attname = 'fencing_token'
  )
  SELECT id, id::regclass::text AS sequence, table_id::regclass::text AS table,
    quote_ident(attname) AS column
  FROM sequences
    JOIN pg_sequence ON seqrelid = id
    JOIN pg_class ON pg_class.oid = table_id
    JOIN pg_attribute ON attrelid = table_id AND attnum = column_number
  WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('deployment'))
    AND seqincrement > 0
    AND has_table_privilege(table_id, 'SELECT')
    AND CASE WHEN EXISTS (SELECT FROM pg_class s WHERE s.oid = id AND s.relkind = 'S')
        THEN has_sequence_privilege(id, 'USAGE, SELECT') END
  ORDER BY sequence, "table"`;

/** Reads how far each sequence is, and the column that takes its numbers. */
export async function readSequences(client: Pool | PoolClient): Promise<readonly SequenceState[]> {
  const { rows } = await client.query<SequenceRow>(SEQUENCES);
  const states: SequenceState[] = [];
  for (const row of rows) {
    states.push(await stateOf(client, row));
  }
  return states;
}

async function stateOf(client: Pool | PoolClient, row: SequenceRow): Promise<SequenceState> {
  const { id, sequence, table, column } = row;
  // The names come from Postgres, which has quoted them.
  const patient = {
    text: `SELECT coalesce(max(${column}), 0)::text AS highest,
      coalesce(pg_sequence_last_value($1::oid), 0)::text AS last FROM ${table}`,
    values: [id],
    query_timeout: NO_TIMEOUT_MS,
  };
  const { rows } = await client.query<{ highest: string; last: string }>(patient);
  const [state] = rows;
  return {
    sequence,
    table,
    last: BigInt(state?.last ?? 0),
    highest: BigInt(state?.highest ?? 0),
  };
}

/**
 * Raises each sequence that stands behind its column, as after a dump without
 * sequences or a logical replication: what it gives out next would be there
 * already, or come before what readers have seen.
 *
 * @throws if one is behind, and this role may not raise it.
 */
export async function raiseSequences(transaction: PoolClient): Promise<void> {
  for (const state of await readSequences(transaction)) {
    if (state.last < state.highest) {
      await raise(transaction, state);
    }
  }
}

async function raise(transaction: PoolClient, state: SequenceState): Promise<void> {
  const { sequence, table, last, highest } = state;
  try {
    await transaction.query(
      `SELECT setval(seqrelid, least($2::bigint + ${MARGIN}, seqmax))
       FROM pg_sequence WHERE seqrelid = $1::regclass`,
      [sequence, highest],
    );
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === INSUFFICIENT_PRIVILEGE) {
      throw new Error(
        `the sequence ${sequence} stands at ${last}, behind ${highest} in ${table}, and this role may not raise it: run payonce migrate --restored as the owner of the tables`,
        { cause: error },
      );
    }
    throw error;
  }
}

/**
 * Moves the fencing tokens past those that were given out before a restore and
 * are lost with it: whoever compares tokens elsewhere takes the new ones for newer.
 */
export async function advanceFencingTokens(transaction: PoolClient): Promise<void> {
  await transaction.query(
    `SELECT setval(id, coalesce(pg_sequence_last_value(id), 0) + ${LOST_TOKENS})
     FROM to_regclass('idempotency_fencing_tokens') AS id
     WHERE has_sequence_privilege(id, 'UPDATE')`,
  );
}
