import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { beginWaitingPayment } from "../../../support/service/waiting-payment.js";

const NEWER_BUILD = fileURLToPath(
  new URL("../../../support/entries/newer-build.ts", import.meta.url),
);

/** The owner is gone by then. */
const PROCESSOR_DELAY_MS = 3_000;

let cluster: FaultCluster;
let atNewer: PaymentsClient;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 1 });
  const newer = await cluster.addService({}, NEWER_BUILD);
  atNewer = cluster.connect(newer);
});

afterAll(() => cluster?.stop());

it("payments of builds with different fingerprints replay at each other, to equal requests only", async () => {
  const builds = [cluster.connect(cluster.services[0]), atNewer];
  for (const [index, first] of builds.entries()) {
    const key = `form-${index}`;
    const answer = await first.createPayment(paymentOf("tok_visa"), key);
    for (const build of builds) {
      const replay = await build.createPayment(paymentOf("tok_visa"), key);
      expect(isReplayed(replay)).toBe(true);
      expect(answerOf(replay)).toEqual(answerOf(answer));
      const changed = await build.createPayment(paymentOf("tok_declined"), key);
      expect(refusalOf(changed).reason).toBe("IDEMPOTENCY_KEY_REUSED");
    }
    await cluster.expectOneCharge(key);
  }
});

it.each([FaultAction.DELAY_BEFORE, FaultAction.DELAY_AFTER] as const)(
  "a payment that has begun is never refused, not even by a build that cannot read its request (%i)",
  async (action) => {
    const key = `begun-${FaultAction[action]}`;
    const owner = await cluster.addService();
    const atOwner = cluster.connect(owner);
    const { result } = await beginWaitingPayment({
      processor: cluster.processor,
      key,
      delayMs: PROCESSOR_DELAY_MS,
      action,
      send: () => atOwner.createPayment(paymentOf("tok_visa"), key),
    });
    owner.kill("SIGKILL");
    expect((await result).code).not.toBe(Code.OK);
    // To whoever runs it again the request says nothing: no amount, no payment method.
    const { rowCount } = await cluster.pool.query(
      "UPDATE idempotency_records SET request = '' WHERE idempotency_key = $1",
      [key],
    );
    expect(rowCount).toBe(1);
    await cluster.recovered();
    const { answer } = await untilAnswered(() => atNewer.createPayment(paymentOf("tok_visa"), key));
    expect(isReplayed(answer)).toBe(true);
    await cluster.expectOneCharge(key);
    const takeovers = await cluster.countTakeovers();
    expect(takeovers.recovery).toBeGreaterThan(0);
    tell(
      `killed owner pid ${owner.pid} and emptied the stored request: recovered from what had begun, effects 1`,
    );
  },
);

it("violates no invariant", async () => {
  await cluster.recovered();
  await cluster.expectNothingViolated();
});
