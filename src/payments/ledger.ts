import type { Operation } from "./operation.js";
import type { Payment } from "./payment.js";

/** The accounts of a tenant. */
export type Account =
  /** Money that the processor owes us. */
  | "processor_receivable"
  /** Money that we owe the merchant. */
  | "merchant_payable";

/** One side of a booking. */
export interface Booking {
  readonly account: Account;
  /** Positive for a debit, negative for a credit. */
  readonly minorUnits: bigint;
}

/** A booking as it was written, for good. */
export interface LedgerEntry extends Booking {
  /** Orders a tenant's entries by the time they were written. */
  readonly id: bigint;
  /** The operation that booked it. */
  readonly transactionId: string;
  readonly paymentId: string;
  readonly currencyCode: string;
  readonly createTime: Date;
}

/** The bookings of an approved operation: both sides of what it moves. */
export function bookingsOf(
  operation: Pick<Operation, "kind" | "minorUnits">,
  payment: Pick<Payment, "captureMethod">,
): readonly Booking[] {
  const minorUnits = movedBy(operation, payment);
  return minorUnits === 0n
    ? []
    : [
        { account: "processor_receivable", minorUnits },
        { account: "merchant_payable", minorUnits: -minorUnits },
      ];
}

/**
 * Returns the money that an approved operation moves, in minor units: positive to
 * the merchant, negative to the payer. Authorizing or giving up a reservation moves none.
 */
export function movedBy(
  { kind, minorUnits }: Pick<Operation, "kind" | "minorUnits">,
  { captureMethod }: Pick<Payment, "captureMethod">,
): bigint {
  if (kind === "refund") {
    return -minorUnits;
  }
  const takesMoney = kind === "capture" || (kind === "create" && captureMethod === "AUTOMATIC");
  return takesMoney ? minorUnits : 0n;
}
