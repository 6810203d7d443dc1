import { randomUUID } from "node:crypto";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requestFingerprint } from "../../../../src/audit/payment-methods.js";
import {
  CaptureMethod,
  CapturePaymentRequestSchema,
  CreatePaymentRequestSchema,
} from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../../../src/grpc/client.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import type { OperationKind } from "../../../../src/payments/operation.js";
import { createPostgresStore } from "../../../../src/stores/postgres/index.js";
import { holdAt, installBreakpoints } from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  LEASE_MS,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { waitUntil } from "../../../support/service/service-process.js";

/** Until recovery has come, with its pauses, on a busy machine. */
const RECOVERY_LIMIT_MS = 40_000;

/** A call whose request is not valid, and the same with the mistake mended. */
interface Mistake {
  readonly kind: OperationKind;
  readonly method: string;
  /** As its client serializes it. */
  readonly bytes: Uint8Array;
  readonly send: (client: PaymentsClient, key: string) => Promise<UnaryResult<DescMessage>>;
  readonly sendCorrected: (
    client: PaymentsClient,
    key: string,
  ) => Promise<UnaryResult<DescMessage>>;
}

let cluster: FaultCluster;
let paymentId: string;

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 1 });
  await installBreakpoints(cluster.pool);
  const terms = { captureMethod: CaptureMethod.MANUAL };
  const { answer } = await untilAnswered(() =>
    survivor().createPayment(paymentOf("tok_visa", terms), "payment"),
  );
  paymentId = answer.response?.payment?.id ?? "";
});

afterAll(() => cluster?.stop());

const survivor = () => cluster.connect(cluster.services[0]);

const withoutMethod = { ...paymentOf("tok_visa"), paymentMethod: "" };
const withoutPayment = { paymentId: "" };

const mistakes: readonly Mistake[] = [
  {
    kind: "create",
    method: "CreatePayment",
    bytes: bytesOf(CreatePaymentRequestSchema, withoutMethod),
    send: (client, key) => client.createPayment(withoutMethod, key),
    sendCorrected: (client, key) => client.createPayment(paymentOf("tok_visa"), key),
  },
  {
    kind: "capture",
    method: "CapturePayment",
    bytes: bytesOf(CapturePaymentRequestSchema, withoutPayment),
    send: (client, key) => client.capturePayment(withoutPayment, key),
    sendCorrected: (client, key) =>
      client.capturePayment({ paymentId, amount: { currencyCode: "EUR", minorUnits: 1n } }, key),
  },
];

function bytesOf<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Uint8Array {
  return toBinary(desc, create(desc, init));
}

/** Claims the key as a build does that looks at requests later, and dies before it gives the claim back. */
async function claimAsOlderBuild({ kind, method, bytes }: Mistake, key: string): Promise<void> {
  const operation = `payonce.payments.v1.PaymentService/${method}`;
  const fingerprint = requestFingerprint(kind, operation, bytes);
  if (fingerprint === undefined) {
    throw new Error("the bytes are no request");
  }
  const { kind: result } = await createPostgresStore(cluster.pool).claim({
    scope: { tenant: "default", operation, key },
    claimId: randomUUID(),
    fingerprint,
    request: bytes,
    onLostOwner: "rerun",
    leaseMs: LEASE_MS,
  });
  expect(result).toBe("claimed");
}

const isFree = async (key: string) => (await cluster.recordOf(key)) === undefined;

async function expectFree({ send, sendCorrected }: Mistake, key: string): Promise<void> {
  const client = survivor();
  expect(refusalOf(await send(client, key)).code).toBe(Code.INVALID_ARGUMENT);
  expect(await isFree(key)).toBe(true);
  const { answer } = await untilAnswered(() => sendCorrected(client, key));
  expect(answer.code).toBe(Code.OK);
}

describe.each(mistakes)(
  "a $method that is not valid, whose owner dies before it gives its claim back",
  (mistake) => {
    it("is refused by recovery, and its key is free for a corrected request", async () => {
      const key = `unasked-${mistake.kind}`;
      await claimAsOlderBuild(mistake, key);
      await waitUntil(() => isFree(key), RECOVERY_LIMIT_MS);
      await expectFree(mistake, key);
    });

    it("is told so to the client that sends it again", async () => {
      const key = `asked-${mistake.kind}`;
      await claimAsOlderBuild(mistake, key);
      const { earlier, answer } = await untilAnswered(() => mistake.send(survivor(), key));
      for (const refused of earlier) {
        expect(refusalOf(refused).reason).toBe("REQUEST_IN_PROGRESS");
      }
      expect(refusalOf(answer).code).toBe(Code.INVALID_ARGUMENT);
      await expectFree(mistake, key);
    });

    it("whoever takes the claim over and is killed at that very point: the key is free all the same", async () => {
      const key = `killed-${mistake.kind}`;
      const [first] = cluster.services;
      first?.kill("SIGSTOP"); // so that the other one takes it over
      const owner = await cluster.addService();
      const hold = await holdAt(cluster.database.url, "giving a claim back");
      await claimAsOlderBuild(mistake, key);
      await hold.reached();
      owner.kill("SIGKILL");
      await owner.exited;
      await hold.rollBack();
      expect(await cluster.recordOf(key)).toMatchObject({ state: "executing", attempts: 2 });
      first?.kill("SIGCONT");
      await waitUntil(() => isFree(key), RECOVERY_LIMIT_MS);
      await expectFree(mistake, key);
      tell(`killed owner pid ${owner.pid} as it gave its claim back: the key was free again`);
    });
  },
);

it("violates no invariant", () => cluster.expectNothingViolated());
