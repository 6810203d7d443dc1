import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  CaptureMethod,
  type LedgerEntry as LedgerEntryMessage,
  LedgerEntrySchema,
  type Payment as PaymentMessage,
  PaymentSchema,
  PaymentStatus,
  type Refund as RefundMessage,
  RefundSchema,
  RefundStatus,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { encodeFields, unlessDefault, type WireField } from "../idempotency/request/wire.js";
import type { LedgerEntry } from "./ledger.js";
import type { Operation } from "./operation.js";
import type { AwaitedAction, Payment } from "./payment.js";

/** A payment as callers see it: without what is in flight. */
export function paymentMessage(payment: Payment): PaymentMessage {
  return fromBinary(PaymentSchema, encodePayment(payment));
}

/**
 * Serializes a payment as callers see it. Written by hand: a payment is stored
 * so with each of its transitions and in its answer, and by way of a message it
 * takes ten times as long.
 */
export function encodePayment(payment: Payment): Uint8Array {
  const money = (minorUnits: bigint) =>
    encodeFields([[1, payment.currencyCode], unlessDefault(2, Number(minorUnits))]);
  return encodeFields([
    [1, payment.id],
    [2, PaymentStatus[payment.status]],
    [3, money(payment.minorUnits)],
    [4, money(payment.authorized)],
    [5, money(payment.captured)],
    [6, money(payment.refunded)],
    [7, payment.paymentMethod],
    unlessDefault(8, payment.merchantReference),
    ...Object.entries(payment.metadata).map(
      ([name, value]): WireField => [
        9,
        encodeFields([
          [1, name],
          [2, value],
        ]),
      ],
    ),
    unlessDefault(10, payment.declineCode),
    [11, encodeTime(payment.createTime)],
    [12, encodeTime(payment.updateTime)],
    [13, Number(payment.version)],
    [14, CaptureMethod[payment.captureMethod]],
    unlessDefault(15, payment.description),
    ...(payment.nextAction === undefined
      ? []
      : [[16, encodeAction(payment.nextAction)] satisfies WireField]),
    ...(payment.authorizationExpireTime === undefined
      ? []
      : [[17, encodeTime(payment.authorizationExpireTime)] satisfies WireField]),
  ]);
}

function encodeAction({ redirectUrl = "", clientSecret = "", expireTime }: AwaitedAction) {
  return encodeFields([
    redirectUrl === "" ? [2, clientSecret] : [1, redirectUrl],
    [3, encodeTime(expireTime)],
  ]);
}

/** A google.protobuf.Timestamp. */
function encodeTime(time: Date): Uint8Array {
  const ms = time.getTime();
  return encodeFields([
    unlessDefault(1, Math.floor(ms / 1_000)),
    unlessDefault(2, (ms % 1_000) * 1_000_000),
  ]);
}

const refundStatuses: Readonly<Record<Operation["state"], RefundStatus>> = {
  pending: RefundStatus.PROCESSING,
  unknown: RefundStatus.UNKNOWN,
  requires_action: RefundStatus.UNKNOWN, // of creations alone
  approved: RefundStatus.SUCCEEDED,
  declined: RefundStatus.DECLINED,
  not_executed: RefundStatus.NOT_EXECUTED,
};

/** The refund that an operation made, or is to make. */
export function refundMessage(operation: Operation, refundId: string): RefundMessage {
  return create(RefundSchema, {
    id: refundId,
    paymentId: operation.paymentId,
    amount: { currencyCode: operation.currencyCode, minorUnits: operation.minorUnits },
    createTime: timestampFromDate(operation.finishTime ?? operation.beginTime),
    status: refundStatuses[operation.state],
    declineCode: operation.declineCode,
    beginTime: timestampFromDate(operation.beginTime),
  });
}

export function ledgerEntryMessage(entry: LedgerEntry): LedgerEntryMessage {
  return create(LedgerEntrySchema, {
    id: entry.id,
    transactionId: entry.transactionId,
    paymentId: entry.paymentId,
    account: entry.account,
    amount: { currencyCode: entry.currencyCode, minorUnits: entry.minorUnits },
    createTime: timestampFromDate(entry.createTime),
  });
}
