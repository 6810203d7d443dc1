import type { Pool } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Deployment,
  idempotencyMigrations,
  migrate,
  openDatabase,
  readDeployment,
  startNewGeneration,
} from "../../../src/stores/postgres/index.js";
import {
  copyDatabase,
  dropDatabase,
  dumpDatabase,
  loadDump,
} from "../../support/servers/copy-database.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";

/** What a build from before idempotency/0003 does when it reads the deployment. */
const OLD_BUILD = {
  update: `
    UPDATE deployment d
    SET generation = d.generation + 1,
        system_identifier = s.system_identifier::text,
        timeline_id = c.timeline_id
    FROM pg_control_system() s,
      (SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int) c (timeline_id)
    WHERE d.system_identifier <> s.system_identifier::text OR d.timeline_id <> c.timeline_id`,
  read: "SELECT id, generation FROM deployment",
};

/** Far more often than a restore meets two processes in the same moment. */
const RACES = 20;

/** Each of them loads a dump, which takes seconds on a busy machine. Milliseconds. */
const RACES_LIMIT_MS = 300_000;

let database: TestDatabase;
let pool: Pool;
let other: Pool;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  other = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
});
afterAll(async () => {
  await Promise.all([pool?.end(), other?.end()]);
  await database?.drop();
});

/** Writes the row as if it had been read and written somewhere else, in one respect. */
async function write(change: string): Promise<void> {
  await pool.query(`UPDATE deployment SET write_xid = pg_current_xact_id()::xid, ${change}`);
}

/** Writes the row as a dump does that is loaded. */
async function load(): Promise<void> {
  await pool.query("UPDATE deployment SET id = id");
}

async function xmin(): Promise<string | undefined> {
  const { rows } = await pool.query<{ xmin: string }>("SELECT xmin FROM deployment");
  return rows[0]?.xmin;
}

function expectAnother(after: Deployment, before: Deployment): void {
  expect(after.id).toBe(before.id);
  expect(after.generation).not.toBe(before.generation);
}

/** How long ago the database says that was. */
async function ageMs({ restoreTimeMs = Number.NaN }: Deployment): Promise<number> {
  const { rows } = await pool.query<{ now_ms: number }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms",
  );
  return (rows[0]?.now_ms ?? Number.NaN) - restoreTimeMs;
}

describe("a database that is the one it was", () => {
  it("keeps its generation, and nothing is written to find that out", async () => {
    const first = await readDeployment(pool);
    expect(first.restoreTimeMs).toBeUndefined();
    const before = await xmin();
    const read = await Promise.all([pool, other, pool, other].map(readDeployment));
    expect(read).toEqual([first, first, first, first]);
    expect(await xmin()).toBe(before);
  });

  it("keeps it when its row is vacuumed, frozen and moved", async () => {
    const before = await readDeployment(pool);
    await pool.query("VACUUM (FREEZE) deployment");
    await pool.query("VACUUM FULL deployment");
    expect(await readDeployment(pool)).toEqual(before);
  });

  it("keeps it for a reader that waits for no lock", async () => {
    const before = await readDeployment(pool);
    const locker = await other.connect();
    await locker.query("BEGIN; SELECT FROM deployment FOR UPDATE");
    expect(await readDeployment(pool)).toEqual(before);
    await locker.query("ROLLBACK");
    locker.release();
  });

  it("is read by a role that may do no more than read and write rows", async () => {
    await pool.query("CREATE ROLE deployment_reader LOGIN PASSWORD 'reader'");
    await pool.query("GRANT SELECT, UPDATE ON deployment TO deployment_reader");
    const url = new URL(database.url);
    url.username = "deployment_reader";
    url.password = "reader";
    const reader = openDatabase(url.href, () => {});
    const before = await readDeployment(pool);
    expect(await readDeployment(reader)).toEqual(before);
    await write("timeline_id = timeline_id + 7");
    expectAnother(await readDeployment(reader), before);
    await reader.end();
    await pool.query("DROP OWNED BY deployment_reader; DROP ROLE deployment_reader");
  });
});

describe("a database that may have lost rows", () => {
  it.each([
    ["system identifier", () => write("system_identifier = '1'")],
    ["timeline", () => write("timeline_id = timeline_id + 7")],
    ["database within its server", () => write("database_oid = 1")],
    ["transaction that wrote the row", load],
  ])("is told by another %s: all agree on one generation, and on when", async (_, restore) => {
    const before = await readDeployment(pool);
    await restore();
    const read = await Promise.all([pool, other, pool, other].map(readDeployment));
    expect(new Set(read.map((deployment) => JSON.stringify(deployment))).size).toBe(1);
    const after = await readDeployment(pool);
    expectAnother(after, before);
    expect(read[0]).toEqual(after);
    expect(after.restoreTimeMs).toBeGreaterThan(before.restoreTimeMs ?? 0);
    expect(await ageMs(after)).toBeLessThan(60_000);
  });

  it(
    "has one new generation, however many find out at once",
    async () => {
      for (let race = 0; race < RACES; race += 1) {
        await load();
        const read = await Promise.all(
          Array.from({ length: 16 }, (_, index) => readDeployment(index % 2 === 0 ? pool : other)),
        );
        expect(new Set(read.map(({ generation }) => generation)).size).toBe(1);
      }
    },
    RACES_LIMIT_MS,
  );

  it("is told by an operator", async () => {
    const before = await readDeployment(pool);
    const after = await startNewGeneration(pool);
    expectAnother(after, before);
    expect(after.restoreTimeMs).toBeGreaterThan(before.restoreTimeMs ?? 0);
    expect(await readDeployment(other)).toEqual(after);
  });
});

describe("a server that was started anew", () => {
  it("starts a generation, since its data may have been put back; nothing says that rows are lost", async () => {
    const before = await readDeployment(pool);
    await write("postmaster_start_time = postmaster_start_time - interval '1 hour'");
    const after = await readDeployment(pool);
    expectAnother(after, before);
    expect(after.restoreTimeMs).toBe(before.restoreTimeMs);
  });
});

describe("a dump", () => {
  it("loaded twice into the same database makes two generations, none of them its own", async () => {
    const before = await readDeployment(pool);
    const dump = await dumpDatabase(database.url);
    const generations = [before.generation];
    for (const _ of ["once", "twice"]) {
      await loadDump(database.url, dump);
      const after = await readDeployment(pool);
      expectAnother(after, before);
      expect(after.restoreTimeMs).toBeGreaterThan(before.restoreTimeMs ?? 0);
      generations.push(after.generation);
    }
    expect(new Set(generations).size).toBe(3);
  });
});

describe("a database cloned within its server", () => {
  const urls: string[] = [];

  afterEach(async () => {
    await Promise.all(urls.splice(0).map(dropDatabase));
  });

  it("has a generation of its own, each clone another, and the original keeps its", async () => {
    const original = await createDatabase();
    urls.push(original.url);
    const reading = async (url: string) => {
      const own = openDatabase(url, () => {});
      await migrate(own, idempotencyMigrations);
      const deployment = await readDeployment(own);
      await own.end();
      return deployment;
    };
    const before = await reading(original.url);
    const clones: Deployment[] = [];
    for (const _ of ["one", "two"]) {
      const url = await copyDatabase(original.url);
      clones.push(await reading(url));
      await dropDatabase(url);
    }
    for (const clone of clones) {
      expectAnother(clone, before);
      expect(clone.restoreTimeMs).toBeDefined();
    }
    expect(clones[0]?.generation).not.toBe(clones[1]?.generation);
    expect(await reading(original.url)).toEqual(before);
  });
});

describe("a database from before generations were drawn", () => {
  it("gets one, and keeps it; nothing says that rows are lost", async () => {
    const old = await createDatabase();
    const own = openDatabase(old.url, () => {});
    await migrate(own, idempotencyMigrations.slice(0, 2));
    await migrate(own, idempotencyMigrations);
    const first = await readDeployment(own);
    expect(first.restoreTimeMs).toBeUndefined();
    expect(await readDeployment(own)).toEqual(first);
    await own.end();
    await old.drop();
  });
});

describe("a service of a build from before", () => {
  const readAsBefore = async () => {
    await other.query(OLD_BUILD.update);
    const { rows } = await other.query<{ id: string; generation: number }>(OLD_BUILD.read);
    return rows[0];
  };

  it("counts on beside this build, whoever of the two finds a restore first", async () => {
    const before = await readDeployment(pool);
    const counted = (await readAsBefore())?.generation ?? Number.NaN;
    expect(await readDeployment(pool)).toEqual(before);

    await write("timeline_id = timeline_id + 7");
    const found = await readDeployment(pool);
    expectAnother(found, before);
    expect(await readAsBefore()).toEqual({ id: before.id, generation: counted + 1 });
    expect(await readDeployment(pool)).toEqual(found);

    await write("timeline_id = timeline_id + 7");
    expect((await readAsBefore())?.generation).toBe(counted + 2);
    const foundNext = await readDeployment(pool);
    expectAnother(foundNext, found);
    expect(foundNext.restoreTimeMs).toBeGreaterThan(found.restoreTimeMs ?? Number.NaN);
  });
});
