import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { paymentMigrations } from "../../../src/payments/postgres/migrations.js";
import { idempotencyMigrations } from "../../../src/stores/postgres/migrations.js";

it.each([
  ["idempotency", idempotencyMigrations, "stores/postgres"],
  ["payments", paymentMigrations, "payments/postgres"],
])(
  "every file of %s is one of its migrations, in the order of their names",
  (set, migrations, folder) => {
    const files = readdirSync(new URL(`../../../src/${folder}/migrations/`, import.meta.url));
    const names = files.map((file) => `${set}/${file.replace(/\.sql$/, "")}`).sort();
    expect(migrations.map(({ name }) => name)).toEqual(names);
    for (const { sql } of migrations) {
      expect(sql).toMatch(/;\s*$/);
    }
  },
);
