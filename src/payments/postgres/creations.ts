import type { Fingerprint } from "../../idempotency/request/fingerprint.js";
import {
  bigint,
  bytea,
  columns,
  jsonb,
  smallint,
  text,
  timestamptz,
} from "../../runtime/columns.js";
import { encodePayment } from "../messages.js";
import type { BeginPlan } from "./begin.js";
import { mustExist } from "./rows.js";

/**
 * The rows of payments that are created with the claims of their calls. The
 * claims have been written before any event takes its id: see events.ts.
 */
export const CREATIONS = {
  name: "payments_claim_and_begin",
  columns: [
    "id text",
    "status text",
    "version bigint",
    "currency_code text",
    "amount bigint",
    "payment_method text",
    "capture_method text",
    "merchant_reference text",
    "description text",
    "metadata jsonb",
    "create_time timestamptz",
    "event bytea",
    "operation_id text",
    "processor_key text",
    "begin_time timestamptz",
    "fingerprint_version smallint",
    "fingerprint bytea",
    "raw_hash bytea",
  ],
  tables: `
created AS (
  INSERT INTO payments (tenant, id, status, version, currency_code, amount, payment_method,
    capture_method, merchant_reference, description, metadata, create_time, update_time,
    authorized, captured, capturing, refunded, refunding, canceling, decline_code)
  SELECT tenant, id, status, version, currency_code, amount, payment_method, capture_method,
    merchant_reference, description, metadata, create_time, create_time, 0, 0, 0, 0, 0, false, ''
  FROM begins
), transitions AS (
  INSERT INTO payment_events (tenant, payment_id, version, payment)
  SELECT tenant, id, version, event FROM begins
), begun AS (
  INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code,
    begin_time, fingerprint_version, fingerprint, raw_hash)
  SELECT tenant, operation_id, processor_key, id, 'create', amount, currency_code,
    least(begin_time, clock_timestamp()), fingerprint_version, fingerprint, raw_hash
  FROM begins
)`,
} as const;

export function creationColumns(
  plans: readonly Pick<BeginPlan, "operation" | "payment">[],
): readonly Buffer[] {
  return columns(
    plans,
    text(({ payment }) => payment.id),
    text(({ payment }) => payment.status),
    bigint(({ payment }) => payment.version),
    text(({ payment }) => payment.currencyCode),
    bigint(({ payment }) => payment.minorUnits),
    text(({ payment }) => payment.paymentMethod),
    text(({ payment }) => payment.captureMethod),
    text(({ payment }) => payment.merchantReference),
    text(({ payment }) => payment.description),
    jsonb(({ payment }) => payment.metadata),
    timestamptz(({ payment }) => payment.createTime),
    bytea(({ payment }) => encodePayment(payment)),
    text(({ operation }) => operation.id),
    text(({ operation }) => operation.processorKey),
    timestamptz(({ operation }) => operation.beginTime),
    smallint((plan) => fingerprintOf(plan).version),
    bytea((plan) => fingerprintOf(plan).canonical),
    bytea((plan) => fingerprintOf(plan).raw),
  );
}

/** The request that an operation begins for. */
export function fingerprintOf({ operation }: Pick<BeginPlan, "operation">): Fingerprint {
  return mustExist(operation.fingerprint, "the request of an operation");
}
