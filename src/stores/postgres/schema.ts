import pg, { type Pool, type PoolClient } from "pg";

/**
 * Makes sure that a schema without tables is not taken in the place of the one
 * that has them: all keys would be new, and payments be made again.
 *
 * @param schema the one that is named, if one is
 * @throws if the tables are where they would be looked for without a name, and
 *   not in the schema that is named; or in several others, and none is named
 */
export async function assertNoOtherTables(pool: Pool, schema: string | undefined): Promise<void> {
  const { rows } = await pool.query<{ name: string; is_default: boolean }>(
    `SELECT nspname AS name,
       nspname IN ('public', current_user) OR nspname = ANY (default_path) AS is_default
     FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace,
       (SELECT regexp_split_to_array(replace(reset_val, '"', ''), '\\s*,\\s*') AS default_path
        FROM pg_settings WHERE name = 'search_path') AS settings
     WHERE relname = 'idempotency_records' AND relkind IN ('r', 'p') AND nspname !~ '^pg_'
     ORDER BY nspname`,
  );
  const names = rows.map(({ name }) => name);
  if (schema === undefined) {
    if (names.length > 1 && !rows.some(({ is_default }) => is_default)) {
      throw new Error(`the schemas ${names.join(", ")} have tables: name one of them`);
    }
    return;
  }
  const atDefault = rows.find(({ is_default }) => is_default)?.name;
  if (atDefault !== undefined && !names.includes(schema)) {
    throw new Error(
      `the tables are in the schema ${atDefault}, and none in ${schema}: move them there, as docs/postgres.md says, or name ${atDefault}`,
    );
  }
}

/** Makes a schema where it is missing. Looks first: to make it takes a privilege also where it is there. */
export async function makeSchema(transaction: PoolClient, schema: string): Promise<void> {
  const { rowCount } = await transaction.query("SELECT FROM pg_namespace WHERE nspname = $1", [
    schema,
  ]);
  if (rowCount === 0) {
    await transaction.query(`CREATE SCHEMA ${pg.escapeIdentifier(schema)}`);
  }
}
