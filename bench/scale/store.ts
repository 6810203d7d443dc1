import pg from "pg";
import type { Lab } from "../lab/lab.js";
import { type Program, startProgram } from "../lab/program.js";
import type { Measured } from "../load/plan.js";
import type { StoreQuestion, StoreSettings } from "../programs/store-calls.js";
import { fillStore } from "./fill.js";
import { TENANT } from "./record.js";

/** A store of record that holds many records, and a process that calls it. */
export interface FilledStore {
  readonly records: number;
  readonly program: Program<StoreQuestion, Measured>;
  /** What it took when it was filled. Bytes. */
  readonly bytes: { readonly table: number; readonly indexes: number };
  /** Removes what was called since, so that there are as many records as before. */
  forgetNewCalls(): Promise<void>;
}

/** Fills a database of its own, which is dropped in the end. */
export async function startFilledStore(
  { postgres: { databases }, shutdown }: Lab,
  records: number,
): Promise<FilledStore> {
  const databaseUrl = await databases.createEmpty();
  shutdown.add(() => databases.drop(databaseUrl));
  const filledUntil = await fillStore(databaseUrl, records);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  shutdown.add(() => client.end());
  const settings: StoreSettings = { databaseUrl, records };
  const program = await startProgram<StoreQuestion, Measured>("store-calls", settings);
  shutdown.add(() => program.stop());
  return {
    records,
    program,
    bytes: await bytesOf(client),
    async forgetNewCalls() {
      await client.query("DELETE FROM idempotency_records WHERE tenant = $1 AND create_time > $2", [
        TENANT,
        filledUntil,
      ]);
      await client.query("VACUUM idempotency_records");
    },
  };
}

async function bytesOf(client: pg.Client): Promise<FilledStore["bytes"]> {
  const { rows } = await client.query<{ table: string; indexes: string }>(
    `SELECT pg_table_size('idempotency_records') AS table,
            pg_indexes_size('idempotency_records') AS indexes`,
  );
  const [sizes] = rows;
  return { table: Number(sizes?.table), indexes: Number(sizes?.indexes) };
}
