import { readMigrations } from "../../runtime/migrations.js";

/** The migrations that make the tables of the store of record, for `migrate` or any other tool. */
export const idempotencyMigrations = readMigrations(
  "idempotency",
  new URL("./migrations/", import.meta.url),
);
