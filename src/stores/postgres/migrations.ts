import { migrationsIn } from "../../runtime/migrations.js";

/** The tables of the store of record. */
export const idempotencyMigrations = migrationsIn(
  "idempotency",
  new URL("./migrations/", import.meta.url),
  [
    "0001-records",
    "0002-deployment",
    "0003-generations-that-never-repeat",
    "0004-released-keys",
    "0005-operator-acts",
    "0006-indexes-of-lists",
  ],
);
