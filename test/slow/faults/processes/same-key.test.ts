import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type FaultCluster,
  KEEPING_ANSWERS,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";

const CALLS = 100;

let cluster: FaultCluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  // Longer than a busy machine pauses: nobody loses a claim here.
  cluster = await startFaultCluster({
    services: 3,
    env: { ...KEEPING_ANSWERS, IDEMPOTENCY_LEASE_MS: "5s" },
  });
  clients = cluster.services.map((service) => cluster.connect(service));
});

afterAll(() => cluster?.stop());

describe("100 calls with one key at once, over three services", () => {
  it.each(["tok_visa", "tok_drop_reply", "tok_error_after_charge", "tok_unreachable"])(
    "are one charge with one answer, for a card that is %s",
    async (paymentMethod) => {
      const key = `crowd-${paymentMethod}`;
      const answered = await Promise.all(
        Array.from({ length: CALLS }, (_, index) =>
          untilAnswered(() => at(index).createPayment(paymentOf(paymentMethod), key)),
        ),
      );
      const answers = answered.map(({ answer }) => answer);
      const first = answers.filter((answer) => !isReplayed(answer)).length;
      const attempts = answered.reduce((sum, { earlier }) => sum + earlier.length + 1, 0);
      tell(`${CALLS} calls of one key (${paymentMethod}): ${attempts} attempts, ${first} first`);

      const [one] = answers.map(answerOf);
      expect(answers.map(answerOf)).toEqual(answers.map(() => one));
      expect(first).toBeLessThanOrEqual(1);
      await cluster.expectOneCharge(key);
    },
  );

  it("violate no invariant", () => cluster.expectNothingViolated());
});

function at(index: number): PaymentsClient {
  const client = clients[index % clients.length];
  if (client === undefined) {
    throw new RangeError("there is no service to ask");
  }
  return client;
}
