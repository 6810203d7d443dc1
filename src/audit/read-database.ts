import type { Pool, PoolClient } from "pg";
import { readSequences } from "../stores/postgres/sequences.js";
import { databaseTime } from "./database-time.js";
import type { DatabaseFacts } from "./facts.js";
import { entries, events, operations, payments, records, type Table } from "./tables.js";

/** Rows of one query. With the largest payments that are accepted, about 20 MB. */
const BATCH_ROWS = 500;

/**
 * Reads all tables as they were at one moment, while others go on writing.
 * Everything is kept in memory: a few KB for each payment.
 *
 * @throws if the database cannot be reached, or has another schema.
 */
export async function readDatabase(pool: Pool): Promise<DatabaseFacts> {
  const client = await pool.connect();
  // A connection lost between two queries: the next one rejects all the same.
  client.on("error", () => {});
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // The snapshot is taken by this statement, so its time is the snapshot's.
    const now = await databaseTime(client);
    return {
      now,
      payments: await readTable(client, payments),
      operations: await readTable(client, operations),
      entries: await readTable(client, entries),
      events: await readTable(client, events),
      records: await readTable(client, records),
      sequences: await readSequences(client),
    };
  } finally {
    client.release(true); // ends the connection, and with it the transaction
  }
}

async function readTable<Row extends { readonly tenant: string }, Item>(
  client: PoolClient,
  { name, columns, keyColumn, beforeFirst, keyOf, itemOf }: Table<Row, Item>,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let last: readonly [tenant: string, key: string | Buffer] = ["", beforeFirst];
  for (;;) {
    const { rows } = await client.query<Row>(
      `SELECT ${columns} FROM ${name} WHERE (tenant, ${keyColumn}) > ($1, $2)
       ORDER BY tenant, ${keyColumn} LIMIT ${BATCH_ROWS}`,
      [...last],
    );
    items.push(...rows.map(itemOf));
    const lastRow = rows.at(-1);
    if (lastRow === undefined || rows.length < BATCH_ROWS) {
      return items;
    }
    last = [lastRow.tenant, keyOf(lastRow)];
  }
}
