import type { DescMessage } from "@bufbuild/protobuf";
import { CaptureMethod } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import { paymentIdOfKey } from "../../../src/payments/operation.js";
import { AMOUNT, type NextCall, PART } from "../../support/operators/resolution-table.js";
import {
  eur,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import type { Method } from "./resolving.js";

type Send = () => Promise<UnaryResult<DescMessage>>;

/** A call that will be held, and those that may come after it. */
export interface HeldCall {
  readonly method: Method;
  readonly key: string;
  readonly paymentId: string;
  readonly send: Send;
  /** Another request under the same key, for the other payment where it is on one. */
  readonly sendOther: Send;
  /** Another operation on the payment, under a key of its own. */
  readonly sendOperation: Send;
}

/** What sends the call that comes next; nobody sends none. */
export function sendOf(call: HeldCall, next: NextCall): Send | undefined {
  switch (next) {
    case "the same request":
      return call.send;
    case "another request":
      return call.sendOther;
    case "another operation":
      return call.sendOperation;
    case "nobody":
      return undefined;
  }
}

export type HeldKind = "create" | "capture" | "cancel" | "refund";

const methods: Readonly<Record<HeldKind, Method>> = {
  create: "CreatePayment",
  capture: "CapturePayment",
  cancel: "CancelPayment",
  refund: "RefundPayment",
};

const MANUAL = { amount: eur(AMOUNT), captureMethod: CaptureMethod.MANUAL };
const AUTOMATIC = { amount: eur(AMOUNT), captureMethod: CaptureMethod.AUTOMATIC };

/** Creates a payment, to be captured by hand unless said otherwise, and returns its id. */
export async function createPayment(
  client: PaymentsClient,
  key: string,
  terms: typeof MANUAL = MANUAL,
): Promise<string> {
  const { answer } = await untilAnswered(() =>
    client.createPayment(paymentOf("tok_visa", terms), key),
  );
  return answer.response?.payment?.id ?? "";
}

/** The payment that a call of the kind acts on, if it acts on one. */
export function createPaymentFor(client: PaymentsClient, kind: HeldKind, key: string) {
  return createPayment(client, key, kind === "refund" ? AUTOMATIC : MANUAL);
}

/** A call of the kind, on a payment that is there unless the call creates it. */
export function heldCall(
  client: PaymentsClient,
  kind: HeldKind,
  call: { readonly key: string; readonly paymentId: string; readonly otherPaymentId: string },
): HeldCall {
  const { key, otherPaymentId } = call;
  const paymentId = kind === "create" ? paymentIdOfKey("default", key) : call.paymentId;
  const operationKey = `${key}-operation`;
  const named = { method: methods[kind], key, paymentId };
  const capture = () => client.capturePayment({ paymentId }, operationKey);
  switch (kind) {
    case "create":
      return {
        ...named,
        send: () => client.createPayment(paymentOf("tok_visa", MANUAL), key),
        sendOther: () =>
          client.createPayment(paymentOf("tok_visa", { ...MANUAL, amount: eur(250n) }), key),
        sendOperation: capture,
      };
    case "capture":
      return {
        ...named,
        send: () => client.capturePayment({ paymentId, amount: eur(PART) }, key),
        sendOther: () =>
          client.capturePayment({ paymentId: otherPaymentId, amount: eur(100n) }, key),
        sendOperation: capture,
      };
    case "cancel":
      return {
        ...named,
        send: () => client.cancelPayment({ paymentId }, key),
        sendOther: () => client.cancelPayment({ paymentId: otherPaymentId }, key),
        sendOperation: capture,
      };
    case "refund":
      return {
        ...named,
        send: () => client.refundPayment({ paymentId, amount: eur(PART) }, key),
        sendOther: () =>
          client.refundPayment({ paymentId: otherPaymentId, amount: eur(100n) }, key),
        sendOperation: () => client.refundPayment({ paymentId }, operationKey),
      };
  }
}
