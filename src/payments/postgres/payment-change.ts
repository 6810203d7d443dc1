import { bigint, boolean, bytea, columns, text } from "../../runtime/columns.js";
import { encodePayment } from "../messages.js";
import type { Payment } from "../payment.js";
import { SET_STATE, STATE_COLUMNS, stateColumns } from "./payments.js";

/** A change of a payment, and the payment as it was planned from. */
export interface PaymentChange {
  readonly before: Payment;
  readonly payment: Payment;
  /** True if the payment makes a transition, which is an event. */
  readonly moved: boolean;
}

/** The columns of `changeColumns`, for an OwnedWork. */
export const CHANGE_COLUMNS = [
  "payment_id text",
  "from_version bigint",
  "from_capturing bigint",
  "from_refunding bigint",
  "from_canceling boolean",
  ...STATE_COLUMNS,
  "moved boolean",
  "event bytea",
] as const;

export function changeColumns(changes: readonly PaymentChange[]): readonly Buffer[] {
  return [
    ...columns(
      changes,
      text(({ payment }) => payment.id),
      bigint(({ before }) => before.version),
      bigint(({ before }) => before.capturing),
      bigint(({ before }) => before.refunding),
      boolean(({ before }) => before.canceling),
    ),
    ...stateColumns(changes.map(({ payment }) => payment)),
    ...columns(
      changes,
      boolean(({ moved }) => moved),
      bytea(({ payment, moved }) => (moved ? encodePayment(payment) : NO_EVENT)),
    ),
  ];
}

const NO_EVENT = new Uint8Array();

/**
 * `locked`: the rows of `owned` whose payment is as they were planned from, by
 * what operations change. Payments are locked after claims, in the order of their names.
 */
export const LOCKED = `
locked AS MATERIALIZED (
  SELECT owned.* FROM owned JOIN payments AS p ON p.tenant = owned.tenant AND p.id = owned.payment_id
  WHERE p.version = owned.from_version AND p.capturing = owned.from_capturing
    AND p.refunding = owned.from_refunding AND p.canceling = owned.from_canceling
  ORDER BY p.tenant, p.id
  FOR NO KEY UPDATE OF p
)`;

/** `written`: the same rows as `from`, once their payments and events are. */
export const writtenFrom = (from: string) => `
written AS (
  UPDATE payments AS p
  SET ${SET_STATE}
  FROM ${from} AS after
  WHERE p.tenant = after.tenant AND p.id = after.payment_id
  RETURNING after.*
), transitions AS (
  INSERT INTO payment_events (tenant, payment_id, version, payment)
  SELECT tenant, payment_id, version, event FROM written WHERE moved
)`;

/**
 * `booked`: the two entries of what the operations of `written` have moved, by its column of the
 * same name. They are made here, so that they cannot differ.
 */
export const BOOKED = `
booked AS (
  INSERT INTO ledger_entries
    (tenant, transaction_id, payment_id, currency_code, account, minor_units)
  SELECT tenant, operation_id, payment_id, currency_code, account, sign * booked
  FROM written, (VALUES ('processor_receivable', 1), ('merchant_payable', -1)) AS side (account, sign)
  WHERE booked <> 0
)`;
