import type { Pool } from "pg";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import { scopeHash } from "../../../src/idempotency/port/scope.js";
import type { Claim, ClaimRequest, ClaimResult } from "../../../src/idempotency/port/store.js";
import { columns, text } from "../../../src/runtime/columns.js";
import { CLAIM } from "../../../src/stores/postgres/claim-statement.js";
import { claimParameters } from "../../../src/stores/postgres/claims.js";
import {
  createPostgresStore,
  type FirstWork,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { createDatabase, type TestDatabase, withOptions } from "../../support/servers/postgres.js";
import { waitUntil } from "../../support/service/service-process.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

const BATCH = 100;
const RETENTION_MS = 60_000;

/**
 * A batch gives up waiting after half a second, each of its claims after a tenth
 * of one, and the statements' own limit is ten: whoever has its answer by then
 * was not held up. Milliseconds.
 */
const BOUND_MS = 8_000;

/** Any step takes less, on a busy machine too. Milliseconds. */
const STEP_LIMIT_MS = 20_000;

const answer = okOutcome(Buffer.from("done"));

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const newRequests = (count = BATCH) => Array.from({ length: count }, () => newRequest());

/** Asks for all claims at once, in one batch. */
function claimAll(
  store: ReturnType<typeof createPostgresStore>,
  requests: readonly ClaimRequest[],
) {
  return Promise.all(requests.map((request) => store.claim(request)));
}

const kindsOf = (results: readonly ClaimResult[]) => results.map(({ kind }) => kind);

/** How many transactions have written these records last. */
async function transactionsOf(requests: readonly ClaimRequest[]): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    "SELECT count(DISTINCT xmin::text) FROM idempotency_records WHERE idempotency_key = ANY($1)",
    [requests.map(({ scope }) => scope.key)],
  );
  return Number(rows[0]?.count);
}

/** Refuses rows for which the condition does not hold, while `during` runs. */
async function refusing<Result>(condition: string, during: () => Promise<Result>): Promise<Result> {
  await pool.query(
    `ALTER TABLE idempotency_records ADD CONSTRAINT poison CHECK (${condition}) NOT VALID`,
  );
  try {
    return await during();
  } finally {
    await pool.query("ALTER TABLE idempotency_records DROP CONSTRAINT poison");
  }
}

/** Claims of another process whose transaction does not end before it is told to. */
async function uncommittedClaims(requests: readonly ClaimRequest[], settings = "") {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`BEGIN; ${settings}`);
  const claim = (more: readonly ClaimRequest[]) =>
    client.query({
      ...CLAIM,
      values: claimParameters({ requests: more.map(again), turn: "together" }),
    });
  await claim(requests);
  return {
    claim,
    async end(how: "COMMIT" | "ROLLBACK") {
      await client.query(how);
      await client.end();
    },
  };
}

/** The connections that wait for a lock. */
async function blockedPids(): Promise<number[]> {
  const { rows } = await pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'payonce' AND wait_event_type = 'Lock'`,
  );
  return rows.map(({ pid }) => pid);
}

const untilBlocked = () => waitUntil(async () => (await blockedPids()).length > 0, STEP_LIMIT_MS);

async function deadlocks(): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: string }>(
    "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
  );
  return Number(rows[0]?.deadlocks);
}

/** Work that begins with the claim of every key, in the same statement. */
const anyWork: FirstWork = {
  concerns: () => true,
  work: { name: "any_work", columns: ["key text"], tables: "nothing AS (SELECT FROM begins)" },
  begin: (requests) => ({
    begun: requests.map(({ scope }) => scope),
    values: columns(
      requests,
      text(({ scope }) => scope.key),
    ),
  }),
};

describe("a hundred claims at once", () => {
  it("share one commit, and so do their answers", async () => {
    const store = createPostgresStore(pool);
    const requests = newRequests();
    const claims = (await claimAll(store, requests)).map(claimOf);
    expect(new Set(claims.map(({ fencingToken }) => fencingToken)).size).toBe(BATCH);
    expect(await transactionsOf(requests)).toBe(1);
    const completed = claims.map((claim) => store.complete(claim, answer, RETENTION_MS));
    expect(await Promise.all(completed)).toEqual(claims.map(() => true));
    expect(await transactionsOf(requests)).toBe(1);
    const asked = await claimAll(store, requests.map(again));
    expect(kindsOf(asked)).toEqual(requests.map(() => "replay"));
  });

  it("of which one is refused by the database: the others are granted, it alone fails", async () => {
    const store = createPostgresStore(pool);
    const requests = newRequests();
    const poisoned = requests[BATCH / 2] ?? newRequest();
    const results = await refusing(`idempotency_key <> '${poisoned.scope.key}'`, () =>
      Promise.allSettled(requests.map((request) => store.claim(request))),
    );
    const failed = results.flatMap(({ status }, index) => (status === "rejected" ? [index] : []));
    expect(failed).toEqual([BATCH / 2]);
    expect(results[BATCH / 2]).toMatchObject({ reason: { code: "23514" } });
    const tokens = results.flatMap((result) =>
      result.status === "fulfilled" ? [claimOf(result.value).fencingToken] : [],
    );
    expect(new Set(tokens).size).toBe(BATCH - 1);
    // Asked again, each owner is still the owner it was, and the last one becomes one.
    const asked = (await claimAll(store, requests)).map(claimOf);
    expect(asked.map(({ attempt }) => attempt)).toEqual(requests.map(() => 1));
    expect(
      asked.flatMap(({ fencingToken }, index) => (index === BATCH / 2 ? [] : [fencingToken])),
    ).toEqual(tokens);
  });

  it("of one key: one is granted, and another request under it is told so", async () => {
    const store = createPostgresStore(pool);
    const request = newRequest();
    const other = { ...again(request), fingerprint: newRequest().fingerprint };
    const results = await claimAll(store, [
      request,
      ...Array.from({ length: BATCH - 2 }, () => again(request)),
      other,
    ]);
    expect(kindsOf(results)).toEqual([
      "claimed",
      ...Array.from({ length: BATCH - 2 }, () => "in_progress"),
      "mismatch",
    ]);
    const claim = claimOf(results[0] ?? { kind: "held", heldMs: 0 });
    await store.complete(claim, answer, RETENTION_MS);
    const after = await claimAll(store, [again(request), again(request), again(other)]);
    expect(kindsOf(after)).toEqual(["replay", "replay", "mismatch"]);
  });
});

describe("a hundred answers at once", () => {
  async function claimed() {
    const store = createPostgresStore(pool);
    const requests = newRequests();
    const claims = (await claimAll(store, requests)).map(claimOf);
    const complete = (claim: Claim) => store.complete(claim, answer, RETENTION_MS);
    return { store, requests, claims, complete };
  }

  it("of which one is refused by the database: the others are stored, it alone fails", async () => {
    const { store, requests, claims, complete } = await claimed();
    const poisoned = claims[0]?.scope.key;
    const results = await refusing(
      `NOT (state = 'completed' AND idempotency_key = '${poisoned}')`,
      () => Promise.allSettled(claims.map(complete)),
    );
    expect(results.map(({ status }) => status)).toEqual([
      "rejected",
      ...claims.slice(1).map(() => "fulfilled"),
    ]);
    const kinds = kindsOf(await claimAll(store, requests.map(again)));
    expect(kinds).toEqual(["in_progress", ...claims.slice(1).map(() => "replay")]);
    expect(await Promise.all(claims.map(complete))).toEqual(claims.map(() => true));
  });

  it("of which one is a late owner's: it alone is refused, and changes nothing", async () => {
    const { store, requests, claims, complete } = await claimed();
    const [late, ...others] = requests;
    if (late === undefined) {
      throw new Error("unreachable");
    }
    await pool.query(
      "UPDATE idempotency_records SET lease_until = now() - interval '1 s' WHERE idempotency_key = $1",
      [late.scope.key],
    );
    const owner = claimOf(await store.claim(again(late)));
    expect(await Promise.all(claims.map(complete))).toEqual([false, ...others.map(() => true)]);
    expect((await store.get(late.scope))?.record).toMatchObject({
      state: "executing",
      fencingToken: owner.fencingToken,
    });
  });

  it("whose connection is lost: all are unknown, and each is stored once", async () => {
    const { store, requests, claims, complete } = await claimed();
    const locker = new pg.Client({ connectionString: database.url });
    await locker.connect();
    await locker.query("BEGIN");
    await locker.query("SELECT FROM idempotency_records WHERE idempotency_key = $1 FOR UPDATE", [
      requests[BATCH / 2]?.scope.key,
    ]);
    const completing = Promise.allSettled(claims.map(complete));
    await untilBlocked();
    await pool.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [
      await blockedPids(),
    ]);
    const statuses = (await completing).map(({ status }) => status);
    expect(statuses).toEqual(claims.map(() => "rejected"));
    await locker.query("ROLLBACK");
    await locker.end();
    const before = await claimAll(store, requests.map(again));
    expect(kindsOf(before)).toEqual(requests.map(() => "in_progress"));
    expect(await Promise.all(claims.map(complete))).toEqual(claims.map(() => true));
    expect(kindsOf(await claimAll(store, requests.map(again)))).toEqual(
      requests.map(() => "replay"),
    );
  });
});

describe.each([
  ["claims alone", {}],
  ["claims with which work begins", { firstWork: anyWork }],
])("%s", (_, options) => {
  it.each([1, 20])(
    "are not held up by %i of a hundred that other processes have made and not committed",
    async (count) => {
      const store = createPostgresStore(pool, options);
      const [held, free] = [newRequests(count), newRequests(BATCH - count)];
      const rival = await uncommittedClaims(held);
      const startedAtMs = performance.now();
      const claiming = Promise.allSettled(held.map((request) => store.claim(request)));
      expect(kindsOf(await claimAll(store, free))).toEqual(free.map(() => "claimed"));
      expect(performance.now() - startedAtMs).toBeLessThan(BOUND_MS);
      for (const result of await claiming) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "55P03" } });
      }
      await rival.end("COMMIT");
      expect(kindsOf(await claimAll(store, held))).toEqual(held.map(() => "in_progress"));
    },
  );

  it("whose connection is lost are all unknown, and each is granted once when asked again", async () => {
    const store = createPostgresStore(pool, options);
    const requests = newRequests();
    const rival = await uncommittedClaims(requests.slice(0, 1));
    const claiming = Promise.allSettled(requests.map((request) => store.claim(request)));
    await untilBlocked();
    await pool.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [
      await blockedPids(),
    ]);
    const statuses = (await claiming).map(({ status }) => status);
    expect(statuses).toEqual(requests.map(() => "rejected"));
    await rival.end("ROLLBACK");
    const claims = (await claimAll(store, requests)).map(claimOf);
    expect(claims.map(({ attempt }) => attempt)).toEqual(requests.map(() => 1));
    expect((await claimAll(store, requests)).map(claimOf)).toEqual(claims);
  });

  it("that end in a deadlock are repeated one by one", async () => {
    // Found out by the batch, well before it gives up waiting.
    const own = openDatabase(withOptions(database.url, "-c deadlock_timeout=300ms"), () => {});
    const store = createPostgresStore(own, options);
    const requests = newRequests(10);
    const [first, last] = firstAndLastRow(requests);
    const before = await deadlocks();
    const rival = await uncommittedClaims([last], "SET LOCAL deadlock_timeout = '1min'");
    const claiming = claimAll(store, requests);
    await untilBlocked();
    await rival.claim([first]); // returns once the batch is rolled back
    await rival.end("COMMIT");
    const results = await claiming;
    const expected = (request: ClaimRequest) =>
      request === first || request === last ? "in_progress" : "claimed";
    expect(kindsOf(results)).toEqual(requests.map(expected));
    await own.end(); // a connection reports what it has met at its end
    await waitUntil(async () => (await deadlocks()) > before, STEP_LIMIT_MS);
  });
});

/** The first and the last of the records that a batch with these requests inserts. */
function firstAndLastRow(requests: readonly ClaimRequest[]): [ClaimRequest, ClaimRequest] {
  const named = requests.map((request) => ({
    request,
    name: Buffer.from(scopeHash(request.scope)),
  }));
  named.sort((a, b) => Buffer.compare(a.name, b.name));
  const [first, last] = [named[0]?.request, named.at(-1)?.request];
  if (first === undefined || last === undefined) {
    throw new Error("there are no requests");
  }
  return [first, last];
}
