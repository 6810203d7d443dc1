import { readMigrations } from "../../runtime/migrations.js";

/** The tables of the store of record. */
export const idempotencyMigrations = readMigrations(
  "idempotency",
  new URL("./migrations/", import.meta.url),
);
