import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  CaptureMethod,
  NextActionSchema,
  type Payment as PaymentMessage,
  PaymentSchema,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { AwaitedAction, Payment } from "../../../src/payments/payment.js";
import { initialState } from "../../../src/payments/state.js";

/** A payment of 1000 minor units as it is when created, with what a test changes. */
export function payment(change: Partial<Payment> = {}): Payment {
  return {
    tenant: "acme",
    id: "pay_1",
    currencyCode: "EUR",
    minorUnits: 1000n,
    paymentMethod: "tok_visa",
    captureMethod: "MANUAL",
    merchantReference: "",
    description: "",
    metadata: {},
    createTime: new Date(0),
    updateTime: new Date(0),
    ...initialState,
    ...change,
  };
}

/** What callers are to see of a payment, by way of the generated code alone. */
export function expectedMessage(payment: Payment): PaymentMessage {
  const money = (minorUnits: bigint) => ({ currencyCode: payment.currencyCode, minorUnits });
  return create(PaymentSchema, {
    id: payment.id,
    status: PaymentStatus[payment.status],
    amount: money(payment.minorUnits),
    authorized: money(payment.authorized),
    captured: money(payment.captured),
    refunded: money(payment.refunded),
    paymentMethod: payment.paymentMethod,
    merchantReference: payment.merchantReference,
    metadata: { ...payment.metadata },
    declineCode: payment.declineCode,
    createTime: timestampFromDate(payment.createTime),
    updateTime: timestampFromDate(payment.updateTime),
    version: payment.version,
    captureMethod: CaptureMethod[payment.captureMethod],
    description: payment.description,
    ...(payment.nextAction === undefined ? {} : { nextAction: actionMessage(payment.nextAction) }),
    ...(payment.authorizationExpireTime === undefined
      ? {}
      : { authorizationExpireTime: timestampFromDate(payment.authorizationExpireTime) }),
  });
}

function actionMessage({ redirectUrl, clientSecret = "", expireTime }: AwaitedAction) {
  return create(NextActionSchema, {
    action:
      redirectUrl === undefined
        ? { case: "clientSecret", value: clientSecret }
        : { case: "redirectUrl", value: redirectUrl },
    expireTime: timestampFromDate(expireTime),
  });
}
