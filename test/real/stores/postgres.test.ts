import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { okOutcome } from "../../../src/idempotency/port/outcome.js";
import type { Claim, ClaimRequest } from "../../../src/idempotency/port/store.js";
import { inTurns } from "../../../src/idempotency/recovery/recovery-turns.js";
import { CLAIM } from "../../../src/stores/postgres/claim-statement.js";
import { claimParameters } from "../../../src/stores/postgres/claims.js";
import {
  assertDurable,
  createPostgresStore,
  idempotencyMigrations,
  inTransaction,
  migrate,
  openDatabase,
  pendingMigrations,
} from "../../../src/stores/postgres/index.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { again, claimOf, newRequest } from "../../support/stores/contract.js";

const RETENTION_MS = 60_000;
const LONG_LEASE_MS = 30_000;
const SHORT_LEASE_MS = 100;

/** Long enough for a statement that does not wait to have answered. */
const BLOCKED_MS = 300;

let database: TestDatabase;
let pool: Pool;
let other: Pool;

beforeAll(async () => {
  database = await createDatabase();
  pool = openDatabase(database.url, () => {});
  other = openDatabase(database.url, () => {});
  await migrate(pool, idempotencyMigrations);
  await pool.query("CREATE TABLE work (what text NOT NULL)");
});
afterAll(async () => {
  await Promise.all([pool?.end(), other?.end()]);
  await database?.drop();
});

async function onEmptyDatabase(test: (url: string) => Promise<void>): Promise<void> {
  const empty = await createDatabase();
  try {
    await test(empty.url);
  } finally {
    await empty.drop();
  }
}

async function withPool<Result>(url: string, use: (pool: Pool) => Promise<Result>) {
  const own = openDatabase(url, () => {});
  try {
    return await use(own);
  } finally {
    await own.end();
  }
}

async function workOf(what: string): Promise<number> {
  const { rowCount } = await pool.query("SELECT 1 FROM work WHERE what = $1", [what]);
  return rowCount ?? 0;
}

async function isBlocked(promise: Promise<unknown>): Promise<boolean> {
  // Not so long that a claim gives up waiting.
  return Promise.race([promise.then(() => false), sleep(BLOCKED_MS / 2, true)]);
}

const answer = okOutcome(Buffer.from("done"));
const completionOf = (claim: Claim) => ({ claim, outcome: answer, retentionMs: RETENTION_MS });

describe("the schema", () => {
  it("is applied once, however often and from however many processes at once", async () => {
    await onEmptyDatabase(async (url) => {
      const names = idempotencyMigrations.map(({ name }) => name);
      expect(await withPool(url, (own) => pendingMigrations(own, idempotencyMigrations))).toEqual(
        names,
      );
      const applied = await Promise.all(
        [1, 2, 3, 4].map(() => withPool(url, (own) => migrate(own, idempotencyMigrations))),
      );
      expect(applied.flat().sort()).toEqual(names);
      await withPool(url, async (own) => {
        expect(await migrate(own, idempotencyMigrations)).toEqual([]);
        expect(await pendingMigrations(own, idempotencyMigrations)).toEqual([]);
        expect((await own.query("SELECT 1 FROM deployment")).rowCount).toBe(1);
      });
    });
  });

  it("refuses a migration that was edited after it was applied, by its name", async () => {
    await onEmptyDatabase((url) =>
      withPool(url, async (own) => {
        await migrate(own, idempotencyMigrations);
        const [first, ...later] = idempotencyMigrations;
        const edited = { name: first?.name ?? "", sql: `${first?.sql}-- edited\n` };
        const next = { name: "next", sql: "CREATE TABLE next ()" };
        await expect(migrate(own, [edited, ...later, next])).rejects.toThrow(edited.name);
        expect(await pendingMigrations(own, [next])).toEqual(["next"]);
        const windows = { name: edited.name, sql: first?.sql.replaceAll("\n", "\r\n") ?? "" };
        expect(await migrate(own, [windows, ...later, next])).toEqual(["next"]);
      }),
    );
  });

  it("of builds that kept no checksums goes on, with nothing applied twice", async () => {
    await onEmptyDatabase((url) =>
      withPool(url, async (own) => {
        await migrate(own, idempotencyMigrations.slice(0, 2));
        await own.query("ALTER TABLE schema_migrations DROP COLUMN checksum");
        const rest = idempotencyMigrations.slice(2).map(({ name }) => name);
        expect(await migrate(own, idempotencyMigrations)).toEqual(rest);
        // One of those builds, beside this one.
        const older = { name: "older", sql: "CREATE TABLE older ()" };
        await own.query(
          "CREATE TABLE older (); INSERT INTO schema_migrations (name) VALUES ('older')",
        );
        expect(await migrate(own, [...idempotencyMigrations, older])).toEqual([]);
        const { rows } = await own.query("SELECT 1 FROM schema_migrations WHERE checksum IS NULL");
        expect(rows).toEqual([]);
        const edited = { ...older, sql: "CREATE TABLE older (id text)" };
        await expect(migrate(own, [edited])).rejects.toThrow("older");
      }),
    );
  });

  it("that is up to date waits for no backup under way", async () => {
    await onEmptyDatabase((url) =>
      withPool(url, async (own) => {
        await migrate(own, idempotencyMigrations);
        const backup = await own.connect();
        try {
          await backup.query("BEGIN; LOCK TABLE schema_migrations IN ACCESS SHARE MODE");
          const startedAtMs = performance.now();
          expect(await migrate(own, idempotencyMigrations)).toEqual([]);
          expect(performance.now() - startedAtMs).toBeLessThan(5_000);
        } finally {
          await backup.query("ROLLBACK");
          backup.release();
        }
      }),
    );
  });

  it("is as it was after a migration that fails", async () => {
    await onEmptyDatabase((url) =>
      withPool(url, async (own) => {
        const broken = { name: "broken", sql: "CREATE TABLE half (); SELECT 1 / 0" };
        await expect(migrate(own, [...idempotencyMigrations, broken])).rejects.toThrow("division");
        expect(await pendingMigrations(own, idempotencyMigrations)).toHaveLength(
          idempotencyMigrations.length,
        );
        expect((await own.query("SELECT to_regclass('half') AS half")).rows).toEqual([
          { half: null },
        ]);
      }),
    );
  });
});

describe("a database that may lose commits", () => {
  it("is refused, and told which setting", async () => {
    await onEmptyDatabase(async (url) => {
      await withPool(url, assertDurable);
      const name = new URL(url).pathname.slice(1);
      await withPool(url, (own) =>
        own.query(`ALTER DATABASE ${name} SET synchronous_commit = off`),
      );
      await expect(withPool(url, assertDurable)).rejects.toThrow(
        /^DATABASE_URL: synchronous_commit is off/,
      );
    });
  });
});

describe("an outcome stored in the transaction of the work", () => {
  function setup(leaseMs = LONG_LEASE_MS) {
    const store = createPostgresStore(pool);
    const request = newRequest({ leaseMs });
    const what = request.scope.key;
    return { store, request, what };
  }

  it("is there with the work once that commits, and not before", async () => {
    const { store, request, what } = setup();
    const claim = claimOf(await store.claim(request));
    await inTransaction(pool, async (transaction) => {
      await transaction.query("INSERT INTO work VALUES ($1)", [what]);
      expect(await store.completeWithin(transaction, [completionOf(claim)])).toEqual([true]);
      // At once, too: many duplicates that wait here would take all connections.
      const seen = await Promise.race([
        createPostgresStore(other).claim(again(request)),
        sleep(BLOCKED_MS, { kind: "blocked" }),
      ]);
      expect(seen.kind).toBe("in_progress");
    });
    expect(await workOf(what)).toBe(1);
    expect((await store.claim(again(request))).kind).toBe("replay");
  });

  it("is gone with the work if that rolls back, and the claim is still its owner's", async () => {
    const { store, request, what } = setup();
    const claim = claimOf(await store.claim(request));
    const failed = inTransaction(pool, async (transaction) => {
      await transaction.query("INSERT INTO work VALUES ($1)", [what]);
      await store.completeWithin(transaction, [completionOf(claim)]);
      throw new Error("the ledger does not balance");
    });
    await expect(failed).rejects.toThrow("balance");
    expect(await workOf(what)).toBe(0);
    expect((await store.claim(again(request))).kind).toBe("in_progress");
    expect(await store.complete(claim, answer, RETENTION_MS)).toBe(true);
  });

  it("is refused to an owner whose claim is lost: nothing is written", async () => {
    const { store, request } = setup(SHORT_LEASE_MS);
    const late = claimOf(await store.claim(request));
    await sleep(SHORT_LEASE_MS * 1.5);
    const owner = claimOf(await store.claim({ ...again(request), leaseMs: LONG_LEASE_MS }));
    await inTransaction(pool, async (transaction) => {
      expect(await store.ownWithin(transaction, [late])).toEqual([false]);
      expect(await store.completeWithin(transaction, [completionOf(late)])).toEqual([false]);
    });
    expect((await store.get(request.scope))?.record).toMatchObject({
      state: "executing",
      fencingToken: owner.fencingToken,
    });
  });

  it("is refused to the owner that has stored it before: its work is there already", async () => {
    const { store, request, what } = setup();
    const claim = claimOf(await store.claim(request));
    const finish = () =>
      inTransaction(pool, async (transaction) => {
        await transaction.query("INSERT INTO work VALUES ($1)", [what]);
        const [isWritten] = await store.completeWithin(transaction, [completionOf(claim)]);
        if (isWritten !== true) {
          throw new Error("refused");
        }
      });
    await finish();
    // As a handler does that did not get the reply to its commit.
    await expect(finish()).rejects.toThrow("refused");
    expect(await workOf(what)).toBe(1);
    // Without work of its own the answer to the question is yes.
    expect(await store.complete(claim, answer, RETENTION_MS)).toBe(true);
  });
});

describe("a claim that a transaction holds", () => {
  it.each([
    ["commits", "COMMIT"],
    ["rolls back", "ROLLBACK"],
  ])("is taken over by nobody before it %s", async (_, end) => {
    const store = createPostgresStore(pool);
    const rival = createPostgresStore(other);
    const request = newRequest({ leaseMs: SHORT_LEASE_MS });
    const claim = claimOf(await store.claim(request));
    const transaction = await pool.connect();
    await transaction.query("BEGIN");
    expect(await store.ownWithin(transaction, [claim])).toEqual([true]);
    await sleep(SHORT_LEASE_MS * 1.5);

    // Nobody waits for the transaction either.
    expect((await rival.claim(again(request))).kind).toBe("in_progress");
    const recovered = await rival.takeOverExpired({
      operations: [request.scope.operation],
      limit: 100,
      leaseMs: LONG_LEASE_MS,
    });
    expect(recovered.map(({ claim: taken }) => taken.scope.key)).not.toContain(request.scope.key);

    expect(await store.completeWithin(transaction, [completionOf(claim)])).toEqual([true]);
    await transaction.query(end);
    transaction.release();
    const after = await rival.claim(again(request));
    if (end === "COMMIT") {
      expect(after.kind).toBe("replay");
    } else {
      expect(claimOf(after).attempt).toBe(2);
      expect(await store.complete(claim, answer, RETENTION_MS)).toBe(false);
    }
  });
});

describe("claims past their lease", () => {
  it("are taken over in the order of inTurns", async () => {
    const operation = `test.v1.Service/${randomUUID()}`;
    // Long enough ago that no backoff holds them.
    const { rows } = await pool.query<{
      tenant: string;
      key: string;
      attempts: number;
      ms: number;
    }>(
      `INSERT INTO idempotency_records (
         tenant, scope_hash, operation, idempotency_key, state, fingerprint_version, fingerprint,
         raw_hash, fencing_token, claim_id, attempts, on_lost_owner, lease_until, request)
       SELECT 'tenant-' || n % 3, sha256(($1 || n)::bytea), $1, 'key-' || n, 'executing', 1, '', '',
         nextval('idempotency_fencing_tokens'), gen_random_uuid(), 1 + n % 5, 'rerun',
         now() - interval '1 hour' - n * 7919 % 211 * interval '1 second', ''
       FROM generate_series(1, 60) AS n
       RETURNING tenant, idempotency_key AS key, attempts,
         extract(epoch FROM lease_until)::float8 * 1000 AS ms`,
      [operation],
    );
    const claims = rows.map(({ ms, ...row }) => ({ ...row, leaseUntilMs: ms }));
    const keysOf = (taken: readonly { readonly key: string }[]) =>
      taken.map(({ key }) => key).sort();
    const store = createPostgresStore(pool);
    for (let left = inTurns(claims); left.length > 0; ) {
      const taken = await store.takeOverExpired({
        operations: [operation],
        limit: 7,
        leaseMs: LONG_LEASE_MS,
      });
      expect(keysOf(taken.map(({ claim }) => claim.scope))).toEqual(keysOf(left.slice(0, 7)));
      left = inTurns(left.slice(7));
    }
  });
});

describe("claims of one key", () => {
  /** The claim statement within a transaction that has not ended. */
  async function uncommittedClaim(request: ClaimRequest) {
    const client = await other.connect();
    await client.query("BEGIN");
    await client.query({
      ...CLAIM,
      values: claimParameters({ requests: [request], turn: "together" }),
    });
    return async (end: "COMMIT" | "ROLLBACK") => {
      await client.query(end);
      client.release();
    };
  }

  it("wait for one that is not committed, and are not granted once it is", async () => {
    const store = createPostgresStore(pool);
    const request = newRequest();
    const end = await uncommittedClaim(request);
    const duplicates = Promise.all([1, 2, 3].map(() => store.claim(again(request))));
    expect(await isBlocked(duplicates)).toBe(true);
    await end("COMMIT");
    expect((await duplicates).map(({ kind }) => kind)).toEqual(Array(3).fill("in_progress"));
  });

  it("are granted to one of those that waited if it never comes", async () => {
    const store = createPostgresStore(pool);
    const request = newRequest();
    const end = await uncommittedClaim(request);
    const duplicates = Promise.all([1, 2, 3].map(() => store.claim(again(request))));
    await end("ROLLBACK");
    const kinds = (await duplicates).map(({ kind }) => kind);
    expect(kinds.sort()).toEqual(["claimed", "in_progress", "in_progress"]);
  });

  it("never have two owners at a time, and no token twice, among two hundred at once", async () => {
    const stores = [createPostgresStore(pool), createPostgresStore(other)];
    const requests = Array.from({ length: 20 }, () => newRequest());
    const owners = new Map<string, number>();
    const tokens: bigint[] = [];
    const collisions: string[] = [];

    const oneCall = async (index: number) => {
      const store = stores[index % 2];
      const request = requests[index % requests.length];
      if (store === undefined || request === undefined) {
        throw new Error("unreachable");
      }
      const { key } = request.scope;
      const result = await store.claim(again(request));
      if (result.kind !== "claimed") {
        return result.kind;
      }
      tokens.push(result.claim.fencingToken);
      owners.set(key, (owners.get(key) ?? 0) + 1);
      if (owners.get(key) !== 1) {
        collisions.push(key);
      }
      await sleep(index % 7);
      owners.set(key, (owners.get(key) ?? 0) - 1);
      // Half of them free the key for those that still come.
      const ended =
        index % 3 === 0
          ? await store.complete(result.claim, okOutcome(Buffer.from(key)), RETENTION_MS)
          : await store.release(result.claim);
      expect(ended).toBe(true);
      return "claimed";
    };

    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 200 }, (_, index) => oneCall(index + round)));
    }
    expect(collisions).toEqual([]);
    expect(tokens.length).toBeGreaterThan(requests.length);
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

describe("a transaction", () => {
  it("whose work hides a failed statement is not taken for committed", async () => {
    const what = randomUUID();
    const hidden = inTransaction(pool, async (transaction) => {
      await transaction.query("INSERT INTO work VALUES ($1)", [what]);
      await transaction.query("SELECT 1 / 0").catch(() => {});
      return "done";
    });
    await expect(hidden).rejects.toThrow("rolled back");
    expect(await workOf(what)).toBe(0);
  });

  it("whose connection is lost between two statements fails, and the process lives on", async () => {
    const what = randomUUID();
    const lost = inTransaction(pool, async (transaction) => {
      await transaction.query("INSERT INTO work VALUES ($1)", [what]);
      const { rows } = await transaction.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      await other.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      await sleep(BLOCKED_MS);
    });
    await expect(lost).rejects.toThrow();
    expect(await workOf(what)).toBe(0);
  });
});
