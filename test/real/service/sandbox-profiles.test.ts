import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { RecordState } from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  byKey,
  openPayments,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { startSandboxUnderTest } from "../../support/servers/sandbox.js";
import { openProcessor } from "../../support/service/processor.js";
import { startServiceProcess, waitUntil } from "../../support/service/service-process.js";

/** A look-up that lags, and a few attempts, on a busy machine. */
const HELD_LIMIT_MS = 30_000;

/** A sandbox with the habits of an acquirer, and a service that knows of them. */
async function startWith(profile: string) {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-profile-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 10 }));
  const sandbox = await startSandboxUnderTest(dataDir, { SANDBOX_PROFILE: profile });
  onTestFinished(() => sandbox.stop());
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const service = await startServiceProcess({
    env: {
      DATABASE_URL: database.url,
      PROCESSOR_URL: sandbox.address,
      SANDBOX_PROFILE: profile,
      PROCESSOR_TIMEOUT_MS: "500ms",
      LOG_LEVEL: "error",
    },
  });
  onTestFinished(() => service.stop());
  const payments = openPayments(service.grpcAddress);
  onTestFinished(() => payments.close());
  const processor = openProcessor(sandbox.address);
  onTestFinished(() => processor.close());
  return { payments, processor };
}

it.each(["stripe", "worldline", "braintree"])(
  "a payment whose reply and whose error are lost is made once at an acquirer like %s",
  async (profile) => {
    const { payments, processor } = await startWith(profile);
    for (const token of ["tok_visa", "tok_drop_reply", "tok_error_after_charge"]) {
      const { answer } = await untilAnswered(() => payments.createPayment(paymentOf(token), token));
      const payment = answer.response?.payment;
      expect(payment?.status, token).toBe(PaymentStatus.CAPTURED);
      expect(await processor.effectTypesOf(payment?.id), token).toEqual(["AUTHORIZE_CAPTURE"]);
    }
  },
);

it("a payment that an acquirer without keys never got is held, and not sent again", async () => {
  const { payments, processor } = await startWith("braintree");
  const key = "never-arrived";
  await payments.createPayment(paymentOf("tok_unreachable"), key);
  const operation = "payonce.payments.v1.PaymentService/CreatePayment";
  await waitUntil(async () => {
    const name = { operation, idempotencyKey: key };
    const { response } = await payments.getRecord({ name });
    return response?.record?.state === RecordState.HELD;
  }, HELD_LIMIT_MS);
  const { response } = await payments.getPayment(byKey(key));
  expect(response?.payment?.status).toBe(PaymentStatus.UNKNOWN);
  expect(await processor.countCalls()).toBe(1n);
  expect(await processor.countEffects()).toBe(0);
});
