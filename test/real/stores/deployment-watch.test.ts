import pg, { type Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import {
  createPostgresStore,
  type DeploymentEvent,
  type DeploymentWatch,
  idempotencyMigrations,
  migrate,
  openDatabase,
  readDeployment,
  watchDeployment,
} from "../../../src/stores/postgres/index.js";
import { createManualClock, type ManualClock } from "../../support/idempotency/manual-clock.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

const INTERVAL_MS = 1_000;
const MINUTE_MS = 60_000;

let database: TestDatabase;
/** One connection that never breaks, as a pooler shows it. */
let pool: Pool;
let other: Pool;
let clock: ManualClock;
let events: DeploymentEvent[];
let delays: DeploymentEvent[];
let watch: DeploymentWatch;

beforeEach(async () => {
  database = await createDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  other = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
  clock = createManualClock();
  events = [];
  delays = [];
  watch = await watchDeployment(pool, { clock, onEvent: note });
});
afterEach(async () => {
  await watch.stop();
  await Promise.all([pool.end(), other.end()]);
  await database.drop();
});

/** Other tests write on the same server: what they hold up is of no interest but where it is asked for. */
function note(event: DeploymentEvent): void {
  (event.type === "events_delayed" ? delays : events).push(event);
}

/** Lets the time of one round pass, and waits for what it asks the database. */
async function round(): Promise<void> {
  await clock.advance(INTERVAL_MS);
  await expect.poll(() => clock.waitingTimers()).toBe(1);
}

/** Writes the row as a dump does that is loaded. */
const load = () => other.query("UPDATE deployment SET id = id");

const backend = async () =>
  (await pool.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;

describe("a running service", () => {
  it("learns of a restore that breaks no connection", async () => {
    const { id, generation } = watch.deployment();
    const pid = await backend();
    await load();
    await round();
    const after = watch.deployment();
    expect(after.id).toBe(id);
    expect(after.generation).not.toBe(generation);
    expect(after).toEqual(await readDeployment(other));
    expect(events).toEqual([{ type: "new_generation", deployment: after, cause: "restored" }]);
    expect(await backend()).toBe(pid);
  });

  it("learns of a server that was started anew, and that nothing says rows are lost", async () => {
    await other.query(
      "UPDATE deployment SET write_xid = pg_current_xact_id()::xid, postmaster_start_time = 'epoch'",
    );
    await round();
    const deployment = watch.deployment();
    expect(events).toEqual([{ type: "new_generation", deployment, cause: "restarted" }]);
    expect(watch.restoredAgoMs()).toBeUndefined();
  });

  it("learns of a restore as soon as a connection breaks, before the next round", async () => {
    const { generation } = watch.deployment();
    await load();
    await other.query("SELECT pg_terminate_backend($1)", [await backend()]);
    await expect.poll(() => watch.deployment().generation).not.toBe(generation);
  });

  it("learns of a restore as soon as one more connection is made, before the next round", async () => {
    const two = new pg.Pool({ connectionString: database.url, max: 2 });
    const own = await watchDeployment(two, { clock });
    const { generation } = own.deployment();
    await load();
    await Promise.all([two.query("SELECT"), two.query("SELECT")]);
    await expect.poll(() => own.deployment().generation).not.toBe(generation);
    await own.stop();
    await two.end();
  });

  it("learns of a restore as soon as somebody asks, who is told if nobody can look", async () => {
    const { generation } = watch.deployment();
    await load();
    await watch.look();
    expect(watch.deployment().generation).not.toBe(generation);
    await other.query("ALTER TABLE deployment RENAME TO elsewhere");
    await expect(watch.look()).rejects.toThrow("deployment");
  });

  it("writes nothing while nothing has changed", async () => {
    const xmin = async () => (await other.query("SELECT xmin FROM deployment")).rows;
    const before = await xmin();
    await round();
    await round();
    expect(await xmin()).toEqual(before);
    expect(events).toEqual([]);
  });

  it("goes on with what it has read while the deployment cannot be read", async () => {
    const before = watch.deployment();
    await other.query("ALTER TABLE deployment RENAME TO elsewhere");
    await round();
    expect(watch.deployment()).toEqual(before);
    await other.query("ALTER TABLE elsewhere RENAME TO deployment");
    await load();
    await round();
    expect(watch.deployment().generation).not.toBe(before.generation);
  });

  it("knows how long ago a restore was by the database's clock, also between two looks", async () => {
    expect(watch.restoredAgoMs()).toBeUndefined();
    await other.query(
      `UPDATE deployment SET write_xid = pg_current_xact_id()::xid,
         restore_time = clock_timestamp() - interval '1 hour'`,
    );
    await round();
    const agoMs = watch.restoredAgoMs() ?? Number.NaN;
    expect(agoMs).toBeGreaterThanOrEqual(3_600_000);
    expect(agoMs).toBeLessThan(3_600_000 + MINUTE_MS);
    await clock.advance(INTERVAL_MS / 2);
    expect(watch.restoredAgoMs()).toBe(agoMs + INTERVAL_MS / 2);
  });

  it("leaves no timer and no listener behind once it is stopped", async () => {
    await watch.stop();
    expect(clock.waitingTimers()).toBe(0);
    expect(pool.listenerCount("connect")).toBe(0);
    expect(pool.listenerCount("error")).toBe(0);
  });
});

describe("a transaction that writes in another database, and does not end", () => {
  it("is told of after half a minute and then each minute, until it ends", async () => {
    const elsewhere = await createDatabase();
    const writer = new pg.Client({ connectionString: elsewhere.url });
    await writer.connect();
    await writer.query("CREATE TABLE written (); BEGIN; INSERT INTO written DEFAULT VALUES");
    const { rows } = await writer.query("SELECT pg_current_xact_id()::text AS transaction");
    const [{ transaction }] = rows;
    // Who writes later is who waits for it.
    await other.query("SELECT pg_current_xact_id()");
    const told = () =>
      delays.filter((delay) => "transaction" in delay && delay.transaction === transaction);
    await expect
      .poll(
        async () => {
          await round();
          return told().length;
        },
        { timeout: 30_000, interval: 1 },
      )
      .toBe(2);
    expect(told()[0]).toMatchObject({ type: "events_delayed", forMs: MINUTE_MS / 2 });
    expect(watch.eventsDelayedMs()).toBeGreaterThanOrEqual(1.5 * MINUTE_MS);
    await writer.query("COMMIT");
    await writer.end();
    await round();
    const last = delays.length;
    await round();
    expect(told().length).toBe(2);
    expect(delays.length).toBe(last);
    await elsewhere.drop();
  });
});

describe("a database that may lose what it confirms from now on", () => {
  it("is told of at once, then each minute, and when it is over", async () => {
    await pool.query("SET synchronous_commit = off");
    await round();
    const lossy = { type: "lossy", setting: "synchronous_commit" };
    expect(events).toEqual([lossy]);
    for (let passedMs = 0; passedMs < MINUTE_MS; passedMs += INTERVAL_MS) {
      await round();
    }
    expect(events).toEqual([lossy, lossy]);
    await pool.query("SET synchronous_commit = on");
    await round();
    expect(events).toEqual([lossy, lossy, { type: "durable" }]);
  });

  it("is asked for no claim and told of no answer, and goes on where it was when it is over", async () => {
    const store = createPostgresStore(other, { lossySetting: watch.lossySetting });
    const claim = claimOf(await store.claim(newRequest({ leaseMs: MINUTE_MS })));
    const request = newRequest({ leaseMs: MINUTE_MS });
    const outcome = okOutcome(Buffer.from("done"));

    await pool.query("SET synchronous_commit = off");
    await round();
    const transaction = await other.connect();
    for (const refused of [
      () => store.claim(request),
      () => store.complete(claim, outcome, MINUTE_MS),
      () => store.completeWithin(transaction, [{ claim, outcome, retentionMs: MINUTE_MS }]),
      () => store.ownWithin(transaction, [claim]),
      () => store.release(claim),
      () =>
        store.reclaim(claim.scope, { fencingToken: claim.fencingToken, reason: "", leaseMs: 1 }),
    ]) {
      await expect.soft(refused()).rejects.toThrow(/^synchronous_commit is off/);
    }
    transaction.release();
    const expired = { operations: [claim.scope.operation], limit: 10, leaseMs: 1 };
    await other.query("UPDATE idempotency_records SET lease_until = 'epoch'");
    expect(await store.takeOverExpired(expired)).toEqual([]);
    expect(await store.get(request.scope)).toBeUndefined();
    expect((await store.get(claim.scope))?.record.state).toBe("executing");

    await pool.query("SET synchronous_commit = on");
    await round();
    expect((await store.claim(again(request))).kind).toBe("claimed");
    expect(await store.complete(claim, outcome, MINUTE_MS)).toBe(true);
  });
});

describe("a connection of ours", () => {
  const settingUnder = async (value: string) => {
    const name = new URL(database.url).pathname.slice(1);
    await pool.query(`ALTER DATABASE ${name} SET synchronous_commit = ${value}`);
    const own = openDatabase(database.url, () => {});
    const { rows } = await own.query("SHOW synchronous_commit");
    await own.end();
    return rows;
  };

  it("waits for the disk at each commit, whatever the database's default has become", async () => {
    expect(await settingUnder("off")).toEqual([{ synchronous_commit: "on" }]);
  });

  it.each(["remote_apply", "remote_write", "local"])(
    "keeps %s, if that is the default",
    async (value) => {
      expect(await settingUnder(value)).toEqual([{ synchronous_commit: value }]);
    },
  );
});
