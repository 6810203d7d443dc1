import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createExecutor } from "../../../../src/idempotency/execution/executor.js";
import { okOutcome } from "../../../../src/idempotency/port/outcome.js";
import type { ClaimRequest } from "../../../../src/idempotency/port/store.js";
import { type Recovery, startRecovery } from "../../../../src/idempotency/recovery/recovery.js";
import {
  createPostgresStore,
  idempotencyMigrations,
  migrate,
  openDatabase,
} from "../../../../src/stores/postgres/index.js";
import { rerunPolicy } from "../../../support/idempotency/calls.js";
import { createDatabase, type TestDatabase } from "../../../support/servers/postgres.js";
import { newRequest } from "../../../support/stores/contract.js";

const STUCK_KEYS = 10_000;
const LEASE_MS = 2_000;
const RECOVERY_INTERVAL_MS = 200;

/** How long a call of a stuck key takes until it ends without an outcome, as a processor's time limit does. */
const HANGS_MS = 10_000;

/** The bound of I6, and what a busy machine takes for the rest. */
const BOUND_MS = LEASE_MS + RECOVERY_INTERVAL_MS + 3_000;

const OPERATION = "test.v1.Service/Call";
const policy = { ...rerunPolicy, operation: OPERATION, leaseMs: LEASE_MS };

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
beforeEach(() => pool.query("TRUNCATE idempotency_records, idempotency_events"));

/** Claims whose owners are gone, and whose calls never get an answer. */
async function insertStuck(tenant: string, attempts: string): Promise<void> {
  await pool.query(
    `INSERT INTO idempotency_records (
       tenant, scope_hash, operation, idempotency_key, state, fingerprint_version, fingerprint,
       raw_hash, fencing_token, claim_id, attempts, on_lost_owner, lease_until, request)
     SELECT $1, sha256(n::text::bytea), $2, 'stuck-' || n, 'executing', 1, sha256('a'),
       sha256('a'), nextval('idempotency_fencing_tokens'), gen_random_uuid(), ${attempts}, 'rerun',
       clock_timestamp() - random() * interval '10 minutes', 'stuck'
     FROM generate_series(1, $3::int) AS n`,
    [tenant, OPERATION, STUCK_KEYS],
  );
}

/** Recovers with the product's own parts. Stuck calls hang, and then end without an outcome. */
async function recovering(during: (recoveredMs: Map<string, number>) => Promise<void>) {
  const store = createPostgresStore(pool);
  const recoveredMs = new Map<string, number>();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const recovery: Recovery = startRecovery({
    store,
    executor: createExecutor({ store }),
    methods: new Map([
      [
        OPERATION,
        {
          policy,
          async run(request, { scope }) {
            if (Buffer.from(request).toString() === "stuck") {
              await sleep(HANGS_MS, undefined, { signal: stop.signal }).catch(() => {});
              throw new Error("no answer");
            }
            recoveredMs.set(scope.key, performance.now());
            return okOutcome(new Uint8Array());
          },
        },
      ],
    ]),
    intervalMs: RECOVERY_INTERVAL_MS,
  });
  try {
    await during(recoveredMs);
  } finally {
    stop.abort();
    await recovery.stop();
  }
}

/** A claim whose owner dies at once. */
async function loseOwner(tenant: string): Promise<string> {
  const key = `lost-${randomUUID()}`;
  const request: ClaimRequest = {
    ...newRequest({ leaseMs: LEASE_MS }),
    scope: { tenant, operation: OPERATION, key },
    request: Buffer.from("lost"),
  };
  expect((await createPostgresStore(pool).claim(request)).kind).toBe("claimed");
  return key;
}

describe("a call that lost its owner", () => {
  it.each([
    ["another tenant", "other", "goes on failing", "3 + n % 20"],
    ["its own tenant", "mine", "goes on failing", "3 + n % 20"],
    ["another tenant", "other", "has just begun to fail", "1"],
    ["its own tenant", "mine", "has just begun to fail", "1"],
  ])(
    "is found out in time beside 10,000 of %s (%s) of which each %s",
    async (_, stuck, __, attempts) => {
      await insertStuck(stuck, attempts);
      await recovering(async (recoveredMs) => {
        await sleep(5_000); // all the room there is has been taken
        for (let round = 0; round < 3; round += 1) {
          const key = await loseOwner("mine");
          const lostAtMs = performance.now();
          while (!recoveredMs.has(key) && performance.now() < lostAtMs + BOUND_MS) {
            await sleep(20);
          }
          expect((recoveredMs.get(key) ?? Number.POSITIVE_INFINITY) - lostAtMs).toBeLessThan(
            BOUND_MS,
          );
        }
      });
    },
  );
});
