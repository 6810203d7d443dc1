import { create } from "@bufbuild/protobuf";
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
} from "../gen/payonce/payments/v1/payments_pb.js";
import type { LedgerEntry } from "./ledger.js";
import type { Operation } from "./operation.js";
import type { Payment } from "./payment.js";

/** A payment as callers see it: without what is in flight. */
export function paymentMessage(payment: Payment): PaymentMessage {
  const money = (minorUnits: bigint) => ({ currencyCode: payment.currencyCode, minorUnits });
  return create(PaymentSchema, {
    id: payment.id,
    status: PaymentStatus[payment.status],
    amount: money(payment.amount),
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
  });
}

/** The refund that an approved operation made. */
export function refundMessage(operation: Operation, refundId: string): RefundMessage {
  return create(RefundSchema, {
    id: refundId,
    paymentId: operation.paymentId,
    amount: { currencyCode: operation.currencyCode, minorUnits: operation.minorUnits },
    createTime: timestampFromDate(operation.finishTime ?? operation.beginTime),
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
