import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate, openDatabase } from "../../../src/stores/postgres/index.js";
import { onDatabase } from "../../support/servers/on-database.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { payonce } from "../../support/service/command-line.js";
import { startServiceProcess } from "../../support/service/service-process.js";

/** More than any statement but a migration may take. */
const LONG_S = 12;

const MIGRATION_LOCK = 0x7061796f;

let database: TestDatabase;
let pool: Pool;

beforeEach(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
});

afterEach(async () => {
  await pool.end();
  await database.drop();
});

const quick = { name: "quick", sql: "CREATE TABLE quick (id int)" };

describe("a migration", () => {
  it("may take longer than any other statement", async () => {
    const long = { name: "long", sql: `SELECT pg_sleep(${LONG_S}); CREATE TABLE long ()` };
    expect(await migrate(pool, [long])).toEqual(["long"]);
  });

  it("by another process is waited for, however long; who that is, is told", async () => {
    const long = { name: "long", sql: `SELECT pg_sleep(${LONG_S})` };
    const first = migrate(pool, [long]);
    await sleep(500);
    const told: string[] = [];
    const other = openDatabase(database.url, () => {});
    const second = migrate(other, [long, quick], { onWait: (holder) => told.push(holder) });
    expect(await Promise.all([first, second])).toEqual([["long"], ["quick"]]);
    expect(told).toEqual([expect.stringMatching(/^Postgres process \d+ of \w+ \(payonce\)/)]);
    await other.end();
  });

  it("ends in an error that names the session which holds the lock past the limit", async () => {
    await onDatabase(database.url, async (dead) => {
      await dead.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      const { rows } = await dead.query("SELECT pg_backend_pid() AS pid");
      const startedAtMs = performance.now();
      await expect(migrate(pool, [quick], { waitMs: 500 })).rejects.toThrow(
        `SELECT pg_terminate_backend(${rows[0].pid})`,
      );
      expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    });
    expect(await migrate(pool, [quick])).toEqual(["quick"]);
  });

  it("is not waited for on a schema that is up to date", async () => {
    await migrate(pool, [quick]);
    await onDatabase(database.url, async (busy) => {
      await busy.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      expect(await migrate(pool, [quick], { waitMs: 0 })).toEqual([]);
    });
  });

  it("holds nobody up for long behind a table that is in use, and is applied once that is over", async () => {
    await migrate(pool, [quick]);
    const change = { name: "change", sql: "ALTER TABLE quick ADD COLUMN more text" };
    await onDatabase(database.url, async (reader) => {
      await reader.query("BEGIN; SELECT FROM quick");
      const told: string[] = [];
      const migrating = migrate(pool, [quick, change], { onWait: (reason) => told.push(reason) });
      await sleep(300);
      const startedAtMs = performance.now();
      await onDatabase(database.url, (client) => client.query("SELECT FROM quick"));
      expect(performance.now() - startedAtMs).toBeLessThan(4_000);
      await expect.poll(() => told.length, { timeout: 10_000 }).toBeGreaterThan(0);
      await reader.query("COMMIT");
      expect(await migrating).toEqual(["change"]);
    });
  });
});

describe("a start", () => {
  const env = { PROCESSOR_URL: "instant:", LOG_LEVEL: "warn" };

  it("while another process migrates waits, and says for whom", async () => {
    const holding = onDatabase(database.url, async (other) => {
      await other.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      await sleep(3_000);
    });
    const startedAtMs = performance.now();
    const service = await startServiceProcess({ env: { ...env, DATABASE_URL: database.url } });
    expect(performance.now() - startedAtMs).toBeGreaterThan(2_000);
    expect(service.output()).toMatch(/Postgres process \d+ of .*waiting for the database/);
    await service.stop();
    await holding;
  });

  it.each(["serve", "migrate"])("with `%s` ends after DATABASE_WAIT_MS", async (command) => {
    await onDatabase(database.url, async (dead) => {
      await dead.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      const { code, stdout, stderr } = await payonce([command], {
        ...env,
        LOG_LEVEL: "error",
        DATABASE_URL: database.url,
        DATABASE_WAIT_MS: "1s",
      });
      expect(code).toBe(1);
      expect(stdout).toBe("");
      expect(stderr).toMatch(
        /^DATABASE_URL: another migration is under way .*pg_terminate_backend/m,
      );
    });
  });
});
