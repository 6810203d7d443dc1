import { readMigrations } from "../../runtime/migrations.js";

/** The tables of payments. */
export const paymentMigrations = readMigrations(
  "payments",
  new URL("./migrations/", import.meta.url),
);
