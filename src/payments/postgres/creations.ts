import { bigint, bytea, columns, jsonb, text, timestamptz } from "../../runtime/columns.js";
import { encodePayment } from "../messages.js";
import type { BeginPlan } from "./begin.js";
import { begunFrom, NEW_OPERATION_COLUMNS, newOperationColumns } from "./new-operations.js";

/**
 * The rows of payments that are created with the claims of their calls, each
 * for the amount of its operation. The claims have been written before any
 * event takes its id: see events.ts.
 */
export const CREATIONS = {
  name: "payments_claim_and_begin",
  columns: [
    "payment_id text",
    "status text",
    "version bigint",
    "payment_method text",
    "capture_method text",
    "merchant_reference text",
    "description text",
    "metadata jsonb",
    "create_time timestamptz",
    "event bytea",
    ...NEW_OPERATION_COLUMNS,
  ],
  tables: `
created AS (
  INSERT INTO payments (tenant, id, status, version, currency_code, amount, payment_method,
    capture_method, merchant_reference, description, metadata, create_time, update_time,
    authorized, captured, capturing, refunded, refunding, canceling, decline_code)
  SELECT tenant, payment_id, status, version, currency_code, minor_units, payment_method,
    capture_method, merchant_reference, description, metadata, create_time, create_time,
    0, 0, 0, 0, 0, false, ''
  FROM begins
), transitions AS (
  INSERT INTO payment_events (tenant, payment_id, version, payment)
  SELECT tenant, payment_id, version, event FROM begins
), ${begunFrom("begins").trim()}`,
} as const;

export function creationColumns(
  plans: readonly Pick<BeginPlan, "operation" | "payment">[],
): readonly Buffer[] {
  return [
    ...columns(
      plans,
      text(({ payment }) => payment.id),
      text(({ payment }) => payment.status),
      bigint(({ payment }) => payment.version),
      text(({ payment }) => payment.paymentMethod),
      text(({ payment }) => payment.captureMethod),
      text(({ payment }) => payment.merchantReference),
      text(({ payment }) => payment.description),
      jsonb(({ payment }) => payment.metadata),
      timestamptz(({ payment }) => payment.createTime),
      bytea(({ payment }) => encodePayment(payment)),
    ),
    ...newOperationColumns(plans),
  ];
}
