import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type ListPaymentsRequest,
  type ListRefundsRequest,
  RefundStatus,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { isActiveCurrency } from "./currencies.js";
import { invalid } from "./errors.js";
import { MAX_MINOR_UNITS } from "./money.js";
import type { Operation } from "./operation.js";
import { timedCursor, timedCursorIn } from "./paging.js";
import type { AmountFilter, PaymentCursor, PaymentFilter } from "./postgres/payment-lists.js";
import type { RefundCursor, RefundFilter } from "./postgres/refund-lists.js";
import { readPaymentId, readReference, readStatus } from "./requests.js";

// Every function here reads a request for a list, and throws CallError
// FIELD_INVALID or CURRENCY_UNKNOWN with the field in question.

/** A request for a list, and the text of its filter, which its page tokens are bound to. */
export interface Asked<Filter> {
  readonly filter: Filter;
  readonly text: readonly string[];
}

export function readPaymentFilter(
  request: ListPaymentsRequest,
  tenant: string,
): Asked<PaymentFilter> {
  const merchantReference = readReference(request.merchantReference);
  const status = readStatus(request.status);
  const amount = readAmounts(request);
  const from = readTime("create_time_from", request.createTimeFrom);
  const before = readTime("create_time_before", request.createTimeBefore);
  return {
    filter: {
      tenant,
      ...(merchantReference === "" ? {} : { merchantReference }),
      ...(status === undefined ? {} : { status }),
      ...(amount === undefined ? {} : { amount }),
      ...(from === undefined ? {} : { createdFromMicros: from }),
      ...(before === undefined ? {} : { createdBeforeMicros: before }),
    },
    text: textOf("payments", tenant, merchantReference, status, from, before, [
      amount?.currencyCode,
      amount?.fromMinorUnits,
      amount?.toMinorUnits,
    ]),
  };
}

export function readRefundFilter(request: ListRefundsRequest, tenant: string): Asked<RefundFilter> {
  const paymentId = request.paymentId === "" ? undefined : readPaymentId(request.paymentId);
  const state = readRefundState(request.status);
  const from = readTime("begin_time_from", request.beginTimeFrom);
  const before = readTime("begin_time_before", request.beginTimeBefore);
  return {
    filter: {
      tenant,
      ...(paymentId === undefined ? {} : { paymentId }),
      ...(state === undefined ? {} : { state }),
      ...(from === undefined ? {} : { begunFromMicros: from }),
      ...(before === undefined ? {} : { begunBeforeMicros: before }),
    },
    text: textOf("refunds", tenant, paymentId, state, from, before),
  };
}

function textOf(
  ...parts: readonly (string | bigint | undefined | readonly (string | bigint | undefined)[])[]
): readonly string[] {
  return parts.flat().map((part) => String(part ?? ""));
}

/** A currency, and the amounts of it; undefined for all. */
function readAmounts({
  currencyCode,
  minMinorUnits,
  maxMinorUnits,
}: ListPaymentsRequest): AmountFilter | undefined {
  for (const [field, minorUnits] of [
    ["min_minor_units", minMinorUnits],
    ["max_minor_units", maxMinorUnits],
  ] as const) {
    if (minorUnits < 0n || minorUnits > MAX_MINOR_UNITS) {
      throw invalid("FIELD_INVALID", field, `must be 1 to ${MAX_MINOR_UNITS}, or absent`);
    }
  }
  if (currencyCode === "") {
    if (minMinorUnits > 0n || maxMinorUnits > 0n) {
      throw invalid("FIELD_INVALID", "currency_code", "must be there beside a range of amounts");
    }
    return undefined;
  }
  if (!isActiveCurrency(currencyCode)) {
    throw invalid(
      "CURRENCY_UNKNOWN",
      "currency_code",
      "must be an active ISO 4217 code in upper case, such as EUR",
    );
  }
  return {
    currencyCode,
    fromMinorUnits: minMinorUnits,
    toMinorUnits: maxMinorUnits === 0n ? MAX_MINOR_UNITS : maxMinorUnits,
  };
}

/** The times that a google.protobuf.Timestamp can have: the years 1 to 9999. Seconds. */
const SECONDS = { min: -62_135_596_800n, max: 253_402_300_799n };

/** The first microsecond that is not before a time: no stored time is finer. */
function readTime(field: string, time: Timestamp | undefined): bigint | undefined {
  if (time === undefined) {
    return undefined;
  }
  const { seconds, nanos } = time;
  if (seconds < SECONDS.min || seconds > SECONDS.max || nanos < 0 || nanos > 999_999_999) {
    throw invalid("FIELD_INVALID", field, "must be a time of the years 1 to 9999");
  }
  return seconds * 1_000_000n + BigInt(Math.ceil(nanos / 1_000));
}

const stateOfRefund: Readonly<Record<RefundStatus, Operation["state"] | undefined>> = {
  [RefundStatus.UNSPECIFIED]: undefined,
  [RefundStatus.PROCESSING]: "pending",
  [RefundStatus.SUCCEEDED]: "approved",
  [RefundStatus.DECLINED]: "declined",
  [RefundStatus.UNKNOWN]: "unknown",
  [RefundStatus.NOT_EXECUTED]: "not_executed",
};

/** A state to filter by; undefined for all. */
function readRefundState(status: RefundStatus): Operation["state"] | undefined {
  if (!(status in stateOfRefund)) {
    throw invalid("FIELD_INVALID", "status", "must be a status of the schema");
  }
  return stateOfRefund[status];
}

export function paymentCursorText({ createMicros, sequence }: PaymentCursor): string {
  return timedCursor({ micros: createMicros, name: String(sequence) });
}

export function paymentCursorIn(text: string): PaymentCursor | undefined {
  const cursor = timedCursorIn(text, /^[0-9]{1,18}$/);
  return cursor && { createMicros: cursor.micros, sequence: BigInt(cursor.name) };
}

export function refundCursorText({ beginMicros, id }: RefundCursor): string {
  return timedCursor({ micros: beginMicros, name: id });
}

export function refundCursorIn(text: string): RefundCursor | undefined {
  const cursor = timedCursorIn(text, /^op_[0-9a-f]{40}$/);
  return cursor && { beginMicros: cursor.micros, id: cursor.name };
}
