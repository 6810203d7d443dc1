import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { createPostgresStore } from "../../../../src/stores/postgres/index.js";
import {
  type FaultCluster,
  seconds,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

/** Payments under way at the owner when it is killed. */
const PAYMENTS = 20;

/** Until a busy machine has brought all of them to the processor. */
const ARRIVAL_LIMIT_MS = 20_000;

/** An owner does not live that long. */
const PROCESSOR_DELAY = durationFromMs(30_000);

/** Asked again this soon, a retry meets recovery at the end of the lease. */
const RETRY_EVERY_MS = 10;

/** Answers expire in the midst of their replays. */
const RETENTION_MS = 2_000;

/** How long replays and the reaper go on after that. */
const AFTERMATH_MS = 500;

let cluster: FaultCluster;
let survivors: readonly PaymentsClient[];

beforeAll(async () => {
  // About as often as retries come: either may be first at the end of a lease.
  cluster = await startFaultCluster({
    services: 2,
    env: { IDEMPOTENCY_LEASE_MS: "2s", RECOVERY_INTERVAL_MS: "40" },
  });
  survivors = cluster.services.map((service) => cluster.connect(service));
});

afterAll(() => cluster?.stop());

describe("claims of an owner that was killed", () => {
  it("two recoverers race for them: no takeover goes to both", async () => {
    const keys = await beginAtKilledOwner("recoverers");
    const recoveredAfterMs = await cluster.recovered();
    const takeovers = await expectEachTakenOver(keys);
    tell(
      `killed an owner of ${keys.length} calls: two recoverers took over ${takeovers} times within ${seconds(recoveredAfterMs)}; recovered by each ${(await recoveredByEach()).join(" and ")}`,
    );
    for (const key of keys) {
      await cluster.expectOneCharge(key);
    }
  });

  it("recovery races live retries: each has one charge and one answer", async () => {
    const keys = await beginAtKilledOwner("retries");
    const before = await cluster.countTakeovers();
    const answers = await Promise.all(
      keys.flatMap((key) =>
        survivors.map(async (client) => ({ key, answer: await insist(client, key) })),
      ),
    );
    await cluster.recovered();
    const { recovery, duplicates } = await cluster.countTakeovers();
    tell(
      `killed an owner of ${keys.length} calls under ${answers.length} callers: ${recovery - before.recovery} were taken over by recovery, ${duplicates - before.duplicates} by a retry; effects ${keys.length}`,
    );
    await expectEachTakenOver(keys);
    for (const key of keys) {
      const [one, other] = answers.filter((each) => each.key === key).map(({ answer }) => answer);
      expect(one && answerOf(one)).toEqual(other && answerOf(other));
      await cluster.expectOneCharge(key);
    }
  });
});

describe("answers whose retention ends", () => {
  it("the reaper races replays: the same bytes, then refused for good, and never run again", async () => {
    const service = await cluster.addService({ IDEMPOTENCY_RETENTION_MS: String(RETENTION_MS) });
    const client = cluster.connect(service);
    const keys = Array.from({ length: PAYMENTS }, (_, index) => `reaped-${index}`);
    const firsts = await Promise.all(
      keys.map((key) => client.createPayment(paymentOf("tok_visa"), key)),
    );
    const store = createPostgresStore(cluster.pool);
    const stopAtMs = performance.now() + RETENTION_MS + AFTERMATH_MS;
    let reaped = 0;
    const reaping = (async () => {
      while (performance.now() < stopAtMs) {
        reaped += await store.reap(1);
      }
    })();
    const replays = await Promise.all(
      keys.map(async (key) => {
        const results = [];
        while (performance.now() < stopAtMs) {
          results.push(await client.createPayment(paymentOf("tok_visa"), key));
          await sleep(RETRY_EVERY_MS);
        }
        return results;
      }),
    );
    await reaping;
    const all = replays.flat();
    const expired = all.filter(({ code }) => code !== Code.OK);
    tell(
      `${all.length} replays of ${PAYMENTS} keys raced the reaper: ${all.length - expired.length} answers, ${expired.length} expired; reaped ${reaped}`,
    );
    for (const [index, results] of replays.entries()) {
      const [first] = firsts.slice(index);
      for (const result of results.filter(({ code }) => code === Code.OK)) {
        expect(isReplayed(result)).toBe(true);
        expect(answerOf(result)).toEqual(first && answerOf(first));
      }
      const last = results.at(-1);
      expect(last && refusalOf(last).reason).toBe("IDEMPOTENCY_KEY_EXPIRED");
    }
    for (const result of expired) {
      expect(refusalOf(result).reason).toBe("IDEMPOTENCY_KEY_EXPIRED");
    }
    for (const key of keys) {
      await cluster.expectOneCharge(key);
    }
  });
});

it("no race violates an invariant", () => cluster.expectNothingViolated());

/** Begins payments at an owner that is killed once the processor has all of them. */
async function beginAtKilledOwner(prefix: string): Promise<readonly string[]> {
  const owner = await cluster.addService();
  const keys = Array.from({ length: PAYMENTS }, (_, index) => `${prefix}-${index}`);
  const processorKeys = keys.map((key) => processorKeyOfCall("CreatePayment", key));
  const delay = PROCESSOR_DELAY;
  await cluster.processor.arm(
    ...processorKeys.map((processorKey, index) => ({
      action: index % 2 === 0 ? FaultAction.DELAY_BEFORE : FaultAction.DELAY_AFTER,
      processorKey,
      delay,
    })),
  );
  const client = cluster.connect(owner);
  const calls = keys.map((key) => client.createPayment(paymentOf("tok_visa"), key));
  await waitUntil(async () => {
    const counts = await Promise.all(processorKeys.map(cluster.processor.callsOf));
    return counts.every((count) => count > 0n);
  }, ARRIVAL_LIMIT_MS);
  await owner.stop();
  await Promise.all(calls);
  return keys;
}

/** Asks again at once, whatever the service says of a delay. */
async function insist(client: PaymentsClient, key: string) {
  for (;;) {
    const answer = await client.createPayment(paymentOf("tok_visa"), key);
    if (answer.code === Code.OK) {
      return answer;
    }
    expect(answer.code).toBe(Code.ABORTED);
    await sleep(RETRY_EVERY_MS);
  }
}

/**
 * Expects that no takeover was given to two, and says how many there were: one
 * for each key, and more where the machine pauses for longer than a lease.
 */
async function expectEachTakenOver(keys: readonly string[]): Promise<number> {
  const { rows } = await cluster.pool.query<Record<"owners" | "takeovers" | "tokens", number>>(
    `SELECT r.attempts AS owners, count(*)::integer AS takeovers,
       count(DISTINCT e.fencing_token)::integer AS tokens
     FROM idempotency_records r JOIN idempotency_events e USING (tenant, scope_hash)
     WHERE r.idempotency_key = ANY ($1) AND e.type = 'taken_over'
     GROUP BY r.tenant, r.scope_hash`,
    [keys],
  );
  expect(rows).toHaveLength(keys.length);
  for (const { owners, takeovers, tokens } of rows) {
    expect({ owners, tokens }).toEqual({ owners: takeovers + 1, tokens: takeovers });
  }
  return rows.reduce((sum, { takeovers }) => sum + takeovers, 0);
}

function recoveredByEach(): Promise<readonly number[]> {
  return Promise.all(
    cluster.services.slice(0, survivors.length).map(async ({ httpAddress }) => {
      const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text();
      return Number(
        /^payonce_recovery_total\{result="taken_over"\} (\d+)$/m.exec(metrics)?.[1] ?? 0,
      );
    }),
  );
}
