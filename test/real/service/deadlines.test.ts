import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CreatePaymentRequestSchema,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { postAs, WEB_PROTOCOLS } from "../../support/calls/web-call.js";
import {
  byKey,
  openPayments,
  type PaymentsClient,
  paymentOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";

const DEADLINE_MS = 200;

/** Less than the processor takes for `tok_slow`, 3 s. */
const BEFORE_THE_ANSWER_MS = 2_500;

/** Until the answer is there, on a busy machine too. */
const ANSWER_LIMIT_MS = 20_000;

let cluster: Cluster;
let processor: Processor;
let payments: PaymentsClient;
let url: string;

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  processor = openProcessor(cluster.sandbox.address);
  payments = openPayments(cluster.targets()[0] ?? "");
  url = `http://${cluster.services[0]?.httpAddress}/payonce.payments.v1.PaymentService/CreatePayment`;
});

afterAll(async () => {
  payments?.close();
  processor?.close();
  await cluster?.stop();
});

describe.each(WEB_PROTOCOLS)(
  "a payment over %s that lasts longer than its caller waits",
  (protocol) => {
    const key = protocol.replaceAll(" ", "-");
    const request = create(CreatePaymentRequestSchema, paymentOf("tok_slow"));
    const binary = toBinary(CreatePaymentRequestSchema, request);
    const json = toJson(CreatePaymentRequestSchema, request);

    it("is answered at the deadline, goes on, and is there for a retry", async () => {
      const call = { url, json, binary, key };
      const late = await postAs(protocol, {
        ...call,
        timeoutMs: DEADLINE_MS,
        limitMs: BEFORE_THE_ANSWER_MS,
      });
      expect(late).toMatchObject({
        status: "DEADLINE_EXCEEDED",
        reason: "OUTCOME_UNKNOWN",
        next: "retry_same_key",
      });
      await expect
        .poll(() => postAs(protocol, { ...call, limitMs: ANSWER_LIMIT_MS }), {
          timeout: ANSWER_LIMIT_MS,
        })
        .toMatchObject({ status: "OK", replayed: true });

      const { response } = await payments.getPayment(byKey(key));
      expect(response?.payment?.status).toBe(PaymentStatus.CAPTURED);
      const types = await processor.effectTypesOf(response?.payment?.id);
      expect(types).toEqual(["AUTHORIZE_CAPTURE"]);
    });

    it("is not begun after its deadline", async () => {
      const call = { url, json, binary, key: `${key}-too-late`, limitMs: BEFORE_THE_ANSWER_MS };
      const late = await postAs(protocol, { ...call, timeoutMs: 0 });
      expect(late).toMatchObject({ status: "DEADLINE_EXCEEDED", reason: "NOT_EXECUTED" });
      const { code } = await payments.getPayment(byKey(`${key}-too-late`));
      expect(code).toBe(Code.NOT_FOUND);
    });
  },
);
