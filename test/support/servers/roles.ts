import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { onDatabase } from "./on-database.js";

export interface TestRole {
  readonly name: string;
  /** The URL of the same database for this role. */
  on(url: string): string;
  /** Drops the role, once the databases are gone in which it owns or may do anything. */
  drop(): Promise<void>;
}

/** A role of a test file's own on the server of the test run, which is no superuser. */
export async function createRole(): Promise<TestRole> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const password = randomBytes(8).toString("hex");
  await onServer(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  return {
    name,
    on(url) {
      const own = new URL(url);
      own.username = name;
      own.password = password;
      return own.href;
    },
    drop: () => onServer(`DROP ROLE IF EXISTS ${name}`),
  };
}

/** Runs one statement as the superuser, in the database that every server has. */
export async function onServer(statement: string): Promise<void> {
  await onDatabase(inject("postgresUrl"), (client) => client.query(statement));
}

/** The name of the database in a URL. */
export function databaseIn(url: string): string {
  return new URL(url).pathname.slice(1);
}
