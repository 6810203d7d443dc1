import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  answerOf,
  byKey,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { post } from "../../support/service/http.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../support/service/service-process.js";
import { beginWaitingPayment } from "../../support/service/waiting-payment.js";

/** Long enough for a duplicate to meet it on a busy machine, short enough to wait for. */
const LEASE_MS = 2_000;

/** How long the processor keeps an owner waiting: until it is stopped. */
const PROCESSOR_DELAY_MS = 1_500;

/** Any step takes less, on a busy machine too. */
const STEP_LIMIT_MS = 20_000;

const ONE_CHARGE = ["AUTHORIZE_CAPTURE"];

let cluster: Cluster;
let processor: Processor;
let survivor: ServiceProcess;
let owner: ServiceProcess;
let atOwner: PaymentsClient;
let atSurvivor: PaymentsClient;

beforeAll(async () => {
  // Only callers take over here, so that a test sees each step.
  const env = { IDEMPOTENCY_LEASE_MS: String(LEASE_MS), RECOVERY_INTERVAL_MS: "1h" };
  cluster = await startCluster({ services: 0, env });
  processor = openProcessor(cluster.sandbox.address);
  survivor = await cluster.addService();
  atSurvivor = openPayments(survivor.grpcAddress);
});

beforeEach(async () => {
  owner = await cluster.addService();
  atOwner = openPayments(owner.grpcAddress);
  return async () => {
    atOwner.close();
    await owner.stop();
  };
});

afterAll(async () => {
  atSurvivor?.close();
  processor?.close();
  await cluster?.stop();
});

function beginAtOwner(key: string, action: FaultAction.DELAY_BEFORE | FaultAction.DELAY_AFTER) {
  const send = () => atOwner.createPayment(paymentOf("tok_visa"), key);
  return beginWaitingPayment({ processor, key, action, delayMs: PROCESSOR_DELAY_MS, send });
}

describe.each([
  { when: "before the processor has acted", action: FaultAction.DELAY_BEFORE },
  { when: "after the processor has acted", action: FaultAction.DELAY_AFTER },
] as const)("an owner that ends $when", ({ when, action }) => {
  it("by kill -9: its claim holds until the lease is over, then a retry gets the answer", async () => {
    const key = `killed ${when}`.replaceAll(" ", "-");
    const { result } = await beginAtOwner(key, action);
    owner.kill("SIGKILL");
    expect((await result).response).toBeUndefined();

    const { earlier, answer } = await untilAnswered(() =>
      atSurvivor.createPayment(paymentOf("tok_visa"), key),
    );
    expect(earlier.length).toBeGreaterThan(0);
    for (const refused of earlier) {
      expect(refusalOf(refused)).toMatchObject({
        code: Code.ABORTED,
        reason: "REQUEST_IN_PROGRESS",
      });
    }
    expect(isReplayed(answer)).toBe(false);
    await expectOneCharge(key);
  });

  it("by SIGSTOP: wakes up after another has answered, and changes nothing", async () => {
    const key = `stopped ${when}`.replaceAll(" ", "-");
    const { result } = await beginAtOwner(key, action);
    owner.kill("SIGSTOP");
    const { answer } = await untilAnswered(() =>
      atSurvivor.createPayment(paymentOf("tok_visa"), key),
    );
    expect(isReplayed(answer)).toBe(false);

    owner.kill("SIGCONT");
    const late = await result;
    expect(refusalOf(late)).toMatchObject({
      code: Code.ABORTED,
      domain: "payonce",
      reason: "CLAIM_LOST",
      next: "retry_same_key",
    });
    const replay = await atOwner.createPayment(paymentOf("tok_visa"), key);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(answer));
    await expectOneCharge(key);
  });
});

/** One line in the journal, one booking, and a payment that was captured in one transition. */
async function expectOneCharge(key: string): Promise<void> {
  const { response } = await atSurvivor.getPayment(byKey(key));
  const payment = response?.payment;
  expect(payment).toMatchObject({ status: PaymentStatus.CAPTURED, version: 2n });
  expect(await processor.effectTypesOf(payment?.id)).toEqual(ONE_CHARGE);
  const ledger = await atSurvivor.listLedgerEntries({ paymentId: payment?.id ?? "" });
  const amounts = ledger.response?.entries.map(({ amount }) => amount?.minorUnits);
  expect(amounts).toEqual([1_999n, -1_999n]);
}

describe("SIGTERM under load", () => {
  const CALLS = 20;

  it("lets every call under way get its answer, over gRPC and HTTP, and exits with 0", async () => {
    const delay = durationFromMs(PROCESSOR_DELAY_MS);
    await processor.arm({ action: FaultAction.DELAY_AFTER, count: CALLS, delay });
    const keys = Array.from({ length: CALLS }, (_, index) => `drained-${index}`);
    const [overHttp = "", ...overGrpc] = keys;
    const answers = overGrpc.map((key) => atOwner.createPayment(paymentOf("tok_visa"), key));
    const json = post({
      address: owner.httpAddress,
      method: "CreatePayment",
      key: overHttp,
      body: `{"amount": {"currencyCode": "EUR", "minorUnits": "1999"}, "paymentMethod": "tok_visa"}`,
    });
    await waitUntil(async () => {
      const calls = keys.map((key) => processor.callsOf(processorKeyOfCall("CreatePayment", key)));
      return (await Promise.all(calls)).every((count) => count === 1n);
    }, STEP_LIMIT_MS);
    owner.kill("SIGTERM");

    for (const answer of await Promise.all(answers)) {
      expect(answer.response?.payment?.status).toBe(PaymentStatus.CAPTURED);
    }
    expect((await json).status).toBe(200);
    expect(await owner.exited).toBe(0);
    for (const key of keys) {
      await expectOneCharge(key);
      const replay = await atSurvivor.createPayment(paymentOf("tok_visa"), key);
      expect(isReplayed(replay)).toBe(true);
    }
  });
});
