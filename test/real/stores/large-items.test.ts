import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StoreOverloaded } from "../../../src/idempotency/answers/errors.js";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { ClaimRequest } from "../../../src/idempotency/port/store.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  inTransaction,
  migrate,
  openDatabase,
} from "../../../src/stores/postgres/index.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

const MEBIBYTE = 1024 * 1024;
const RETENTION_MS = 60_000;

/** More than a batch may hold, in bytes. One buffer for all: only what is sent of it takes memory. */
const largeBody = Buffer.alloc(5 * MEBIBYTE);
const large = okOutcome(largeBody);
const small = okOutcome(Buffer.from("ten bytes."));

/** In one statement, so many would take seconds. */
const LARGE = 60;

/** A tenth of the usual limit, so that a tenth of the bytes would be too many for one statement. */
const IMPATIENT_MS = 1_000;

/** Less than any machine takes to store this body. */
const VERY_IMPATIENT_MS = 100;
const hugeBody = Buffer.alloc(40 * MEBIBYTE);

let database: TestDatabase;
let pool: pg.Pool;
let impatient: pg.Pool;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
  impatient = openImpatient(IMPATIENT_MS);
});
afterAll(async () => {
  await impatient?.end();
  await pool?.end();
  await database?.drop();
});

/** Connections to a database that gives up early on a statement. */
function openImpatient(statementTimeoutMs: number): pg.Pool {
  const opened = new pg.Pool({
    connectionString: database.url,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
    pipeline: true,
  });
  opened.on("error", () => {});
  return opened;
}

const newRequests = (count: number) => Array.from({ length: count }, () => newRequest());

/** Notes in which order things happen. */
function noting(order: string[]) {
  return async <Result>(what: string, result: Promise<Result>): Promise<Result> => {
    const value = await result;
    order.push(what);
    return value;
  };
}

/** How many of the answers are stored with so many bytes or more. */
async function storedWith(bytes: number, requests: readonly ClaimRequest[]): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT FROM idempotency_records WHERE state = 'completed'
       AND idempotency_key = ANY($1) AND octet_length(outcome) >= $2`,
    [requests.map(({ scope }) => scope.key), bytes],
  );
  return rowCount ?? 0;
}

async function claimed(count: number) {
  const store = createPostgresStore(pool);
  const requests = newRequests(count);
  const claims = (await Promise.all(requests.map((request) => store.claim(request)))).map(claimOf);
  return { requests, claims };
}

describe("many large answers", () => {
  it("and a small one, stored together: all are there, and the small one waits for few of them", async () => {
    const { requests, claims } = await claimed(LARGE + 1);
    const store = createPostgresStore(impatient);
    const order: string[] = [];
    const note = noting(order);
    const completed = await Promise.all(
      claims.map((claim, index) =>
        index === LARGE
          ? note("small", store.complete(claim, small, RETENTION_MS))
          : note("large", store.complete(claim, large, RETENTION_MS)),
      ),
    );
    expect(completed).toEqual(claims.map(() => true));
    expect(await storedWith(largeBody.length, requests)).toBe(LARGE);
    expect(await storedWith(1, requests)).toBe(LARGE + 1);
    expect(order.indexOf("small")).toBeLessThan(LARGE / 10);
  });

  it("and a small one, stored in one transaction: all are there", async () => {
    const { requests, claims } = await claimed(LARGE + 1);
    const store = createPostgresStore(impatient);
    await inTransaction(impatient, async (transaction) => {
      const completed = await store.completeWithin(
        transaction,
        claims.map((claim, index) => ({
          claim,
          outcome: index === LARGE ? small : large,
          retentionMs: RETENTION_MS,
        })),
      );
      expect(completed).toEqual(claims.map(() => true));
    });
    expect(await storedWith(largeBody.length, requests)).toBe(LARGE);
    expect(await storedWith(1, requests)).toBe(LARGE + 1);
  });

  it("given again together: a new claim waits for none of them, and each is whole", async () => {
    const { requests, claims } = await claimed(LARGE / 4);
    const store = createPostgresStore(impatient);
    await Promise.all(claims.map((claim) => store.complete(claim, large, RETENTION_MS)));
    const order: string[] = [];
    const note = noting(order);
    const replays = requests.map(async (request) => {
      const result = await note("replay", store.claim(again(request)));
      return result.kind === "replay" && largeBody.equals(result.outcome.body);
    });
    const duplicate = store.claim(again(requests[0] ?? newRequest()));
    const other = note("claim", store.claim(newRequest()));
    expect(await Promise.all(replays)).toEqual(requests.map(() => true));
    expect((await duplicate).kind).toBe("replay");
    expect(claimOf(await other).attempt).toBe(1);
    expect(order[0]).toBe("claim");
  });
});

describe("a large answer", () => {
  it("that takes longer than a statement may is stored, and given again", async () => {
    const { requests, claims } = await claimed(1);
    const veryImpatient = openImpatient(VERY_IMPATIENT_MS);
    const store = createPostgresStore(veryImpatient);
    const outcome = okOutcome(hugeBody);
    for (const claim of claims) {
      expect(await store.complete(claim, outcome, RETENTION_MS)).toBe(true);
    }
    for (const request of requests) {
      const result = await store.claim(again(request));
      expect(result.kind === "replay" && hugeBody.equals(result.outcome.body)).toBe(true);
    }
    await veryImpatient.end();
  });

  it("whose retention is over is expired, as a small one is", async () => {
    const { requests, claims } = await claimed(1);
    const store = createPostgresStore(pool);
    for (const claim of claims) {
      await store.complete(claim, large, 1);
    }
    for (const request of requests) {
      await expect.poll(() => store.claim(again(request))).toEqual({ kind: "expired" });
    }
  });
});

describe("large requests", () => {
  const request = Buffer.alloc(10 * MEBIBYTE);
  const newLarge = (count: number) => newRequests(count).map((one) => ({ ...one, request }));

  it("are claimed beside small ones, which wait for none of them", async () => {
    const store = createPostgresStore(pool);
    const order: string[] = [];
    const note = noting(order);
    const claims = await Promise.all([
      ...newLarge(5).map((one) => note("large", store.claim(one))),
      ...newRequests(50).map((one) => note("small", store.claim(one))),
    ]);
    expect(new Set(claims.map((claim) => claimOf(claim).fencingToken)).size).toBe(55);
    expect(order.lastIndexOf("small")).toBeLessThan(order.lastIndexOf("large"));
  });

  it("that wait for more than there is room for are refused before any claim; small ones are not", async () => {
    const store = createPostgresStore(pool);
    const requests = newLarge(20);
    const asked = requests.map((one) => store.claim(one));
    const beside = store.claim(newRequest());
    const results = await Promise.allSettled(asked);
    expect(claimOf(await beside).attempt).toBe(1);
    const refused = results.flatMap((result, index) =>
      result.status === "rejected" ? [{ request: requests[index], ...result }] : [],
    );
    expect(refused).toHaveLength(20 - 6); // 64 MiB have room for six
    for (const { request: one, reason } of refused) {
      expect(reason).toBeInstanceOf(StoreOverloaded);
      expect(one && (await store.get(one.scope))).toBeUndefined();
      expect(one && claimOf(await store.claim(one)).attempt).toBe(1);
    }
  });
});
