import { randomBytes } from "node:crypto";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import { startEmbeddedPostgres } from "../../../src/dev-servers/postgres.js";
import { guard } from "./guard.js";

export interface PostgresUnderTest {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a Postgres in a temporary folder that never outlives this process. */
export async function startPostgresUnderTest(): Promise<PostgresUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "payonce-test-postgres-"));
  await chmod(directory, 0o755); // started by root, Postgres runs as another user
  const postgres = await startEmbeddedPostgres({ dataDir: directory, log: () => {} });
  const guarded = guard({ pid: postgres.pid, signal: "QUIT", directory });
  return {
    url: postgres.url,
    async stop() {
      await postgres.stop();
      await guarded.close();
    },
  };
}

export interface TestDatabase {
  readonly url: string;
  /** Drops the database, also under connections that are still open. */
  drop(): Promise<void>;
}

/** An empty database of a test file's own, on the server of the test run. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(inject("postgresUrl"));
  url.pathname = name;
  return { url: url.href, drop: () => onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** The URL with settings for its sessions, as the server's command line takes them. */
export function withOptions(url: string, options: string): string {
  const own = new URL(url);
  own.searchParams.set("options", options);
  return own.href;
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
