import type { DescMessage } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { EffectType, FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { UnaryResult } from "../../../../src/grpc/client.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  eur,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { ALL_CALLS } from "../../../support/service/processor.js";

/** Each race is run on this many payments, one after the other. */
const PAYMENTS = 20;

/** So that what races meets at the processor too, in any order. */
const PROCESSOR_DELAY = durationFromMs(20);
/** Of 1,999 minor units, nine times 200 can be taken. */
const PART = 200n;
const PARTS_ASKED = 12;
const PARTS_THERE = 9;

let cluster: FaultCluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 3, env: { IDEMPOTENCY_LEASE_MS: "5s" } });
  clients = cluster.services.map((service) => cluster.connect(service));
  await cluster.processor.arm({
    action: FaultAction.DELAY_BEFORE,
    delay: PROCESSOR_DELAY,
    count: ALL_CALLS,
  });
});

afterAll(() => cluster?.stop());

type Send = (client: PaymentsClient) => Promise<UnaryResult<DescMessage>>;

describe(`on ${PAYMENTS} payments, one after the other`, () => {
  it("a capture races a cancel: one of them happens", async () => {
    let captures = 0;
    for (let index = 0; index < PAYMENTS; index += 1) {
      const paymentId = await pay(`capture-cancel-${index}`, CaptureMethod.MANUAL);
      const [capture, cancel] = await race(
        (client) => client.capturePayment({ paymentId }, `capture-${index}`),
        (client) => client.cancelPayment({ paymentId }, `cancel-${index}`),
      );
      captures += capture === "OK" ? 1 : 0;
      expect([
        ["OK", "PAYMENT_NOT_CANCELABLE"],
        ["PAYMENT_NOT_CAPTURABLE", "OK"],
      ]).toContainEqual([capture, cancel]);
      await expectEffects(paymentId, capture === "OK" ? [EffectType.CAPTURE] : [EffectType.VOID]);
    }
    tell(`${PAYMENTS} captures raced cancels: ${captures} captured, ${PAYMENTS - captures} voided`);
  });

  it("two captures race for the last unit: one gets it", async () => {
    for (let index = 0; index < PAYMENTS; index += 1) {
      const paymentId = await pay(`last-unit-${index}`, CaptureMethod.MANUAL);
      const amount = eur(1_998n);
      const send: Send = (client) =>
        client.capturePayment({ paymentId, amount }, `all-but-one-${index}`);
      expect(await race(send)).toEqual(["OK"]);
      const results = await race(
        ...["a", "b"].map(
          (name): Send =>
            (client) =>
              client.capturePayment({ paymentId, amount: eur(1n) }, `last-unit-${index}-${name}`),
        ),
      );
      expect(results.toSorted()).toEqual(["OK", "PAYMENT_NOT_CAPTURABLE"]);
      await expectEffects(paymentId, [EffectType.CAPTURE, EffectType.CAPTURE]);
    }
    tell(`${PAYMENTS} times two captures raced for the last unit: one got it each time`);
  });

  it("two refunds race for more than there is: one happens", async () => {
    for (let index = 0; index < PAYMENTS; index += 1) {
      const paymentId = await pay(`refunds-${index}`, CaptureMethod.AUTOMATIC);
      const results = await race(
        ...["a", "b"].map(
          (name): Send =>
            (client) =>
              client.refundPayment({ paymentId, amount: eur(1_500n) }, `refund-${index}-${name}`),
        ),
      );
      expect(results.toSorted()).toEqual(["AMOUNT_EXCEEDS_CAPTURED", "OK"]);
      await expectEffects(paymentId, [EffectType.REFUND]);
    }
    tell(`${PAYMENTS} times two refunds raced: one happened each time`);
  });

  it(`${PARTS_ASKED} keys ask for a part at the same moment: as many as there are get one`, async () => {
    for (let index = 0; index < PAYMENTS; index += 1) {
      const paymentId = await pay(`parts-${index}`, CaptureMethod.MANUAL);
      const results = await race(
        ...Array.from(
          { length: PARTS_ASKED },
          (_, part): Send =>
            (client) =>
              client.capturePayment({ paymentId, amount: eur(PART) }, `part-${index}-${part}`),
        ),
      );
      const refused = results.filter((result) => result !== "OK");
      expect(refused).toEqual(
        Array.from({ length: PARTS_ASKED - PARTS_THERE }, () => "AMOUNT_EXCEEDS_AUTHORIZED"),
      );
      await expectEffects(
        paymentId,
        Array.from({ length: PARTS_THERE }, () => EffectType.CAPTURE),
      );
    }
    tell(
      `${PAYMENTS} times ${PARTS_ASKED} keys raced for ${PARTS_THERE} parts: ${PARTS_THERE} got one`,
    );
  });
});

it("no race violates an invariant", async () => {
  await cluster.expectNothingViolated();
  tell(`${cluster.log.calls.length} calls, effects ${await cluster.processor.countEffects()}`);
});

/** Sends each at the same moment, each to two services, until all are answered. */
async function race(...sends: readonly Send[]): Promise<readonly string[]> {
  return Promise.all(
    sends.map(async (send, index) => {
      const answers = await Promise.all(
        [index, index + 1].map((at) => untilAnswered(() => send(clientAt(at)))),
      );
      const [one, other] = answers.map(({ answer }) => resultOf(answer));
      expect(other).toBe(one);
      return one ?? "";
    }),
  );
}

function resultOf(answer: UnaryResult<DescMessage>): string {
  return answer.code === Code.OK ? "OK" : refusalOf(answer).reason;
}

async function pay(key: string, captureMethod: CaptureMethod): Promise<string> {
  const request = paymentOf("tok_visa", { captureMethod });
  const { response } = await clientAt(0).createPayment(request, key);
  return response?.payment?.id ?? "";
}

/** Expects what the payment's creation was followed by. */
async function expectEffects(paymentId: string, types: readonly EffectType[]): Promise<void> {
  const [, ...following] = await cluster.processor.effectsOf(paymentId);
  expect(following.map(({ type }) => type)).toEqual(types);
}

function clientAt(index: number): PaymentsClient {
  const client = clients[index % clients.length];
  if (client === undefined) {
    throw new RangeError("there is no service to ask");
  }
  return client;
}
