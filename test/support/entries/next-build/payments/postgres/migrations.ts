import { paymentMigrations as olderMigrations } from "../../../../../../src/payments/postgres/migrations.js";
import { NOTE } from "../../../../next-build/next-build-note.js";

export const paymentMigrations: typeof olderMigrations = [
  ...olderMigrations,
  {
    // The records first, as in every transaction of the older builds, which go on meanwhile.
    name: "payments/9000-note-of-next-build",
    sql: ["idempotency_records", "payments", "operations"]
      .map((table) => `ALTER TABLE ${table} ADD COLUMN ${NOTE.name} text;`)
      .join("\n"),
  },
];
