import { fromBinary } from "@bufbuild/protobuf";
import { PaymentSchema } from "../gen/payonce/payments/v1/payments_pb.js";
import { decodeOutcome } from "../idempotency/port/outcome.js";
import type { OnLostOwner } from "../idempotency/port/store.js";
import type { Operation } from "../payments/operation.js";
import { entryOf, type LedgerRow } from "../payments/postgres/ledger.js";
import {
  OPERATION_COLUMNS,
  type OperationRow,
  operationOf,
} from "../payments/postgres/operations.js";
import { type PaymentRow, type StateRow, stateOf } from "../payments/postgres/payments.js";
import type { RecordRow } from "../stores/postgres/records.js";
import type { AuditedEntry, AuditedEvent, AuditedPayment, AuditedRecord } from "./facts.js";
import { paymentOperations } from "./payment-methods.js";

// The columns that the audit reads of each table. The constraints of the tables vouch for
// the closed sets; pg gives bigint as text.

/** A table that is read in the order of its primary key: the tenant and one more column. */
export interface Table<Row extends { readonly tenant: string }, Item> {
  readonly name: string;
  readonly columns: string;
  readonly keyColumn: string;
  /** Sorts before every value of the key column. */
  readonly beforeFirst: string | Buffer;
  readonly keyOf: (row: Row) => string | Buffer;
  readonly itemOf: (row: Row) => Item;
}

type AuditedPaymentRow = StateRow &
  Pick<PaymentRow, "tenant" | "id" | "currency_code" | "amount" | "capture_method">;

export const payments: Table<AuditedPaymentRow, AuditedPayment> = {
  name: "payments",
  columns: `tenant, id, currency_code, amount, capture_method, status, version, authorized,
    captured, capturing, refunded, refunding, canceling, decline_code, processor_reference,
    next_action, authorization_expire_time, look_time`,
  keyColumn: "id",
  beforeFirst: "",
  keyOf: ({ id }) => id,
  itemOf: (row) => ({
    tenant: row.tenant,
    id: row.id,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.amount),
    captureMethod: row.capture_method,
    ...stateOf(row),
  }),
};

export const operations: Table<OperationRow, Operation> = {
  name: "operations",
  columns: OPERATION_COLUMNS,
  keyColumn: "id",
  beforeFirst: "",
  keyOf: ({ id }) => id,
  itemOf: operationOf,
};

export const entries: Table<LedgerRow & { readonly tenant: string }, AuditedEntry> = {
  name: "ledger_entries",
  columns:
    "tenant, id, transaction_id, payment_id, account, currency_code, minor_units, create_time",
  keyColumn: "id",
  beforeFirst: "0",
  keyOf: ({ id }) => id,
  itemOf: (row) => ({ tenant: row.tenant, ...entryOf(row) }),
};

interface EventRow {
  readonly tenant: string;
  readonly id: string;
  readonly payment_id: string;
  readonly version: string;
  readonly payment: Buffer;
}

export const events: Table<EventRow, AuditedEvent> = {
  name: "payment_events",
  columns: "tenant, id, payment_id, version, payment",
  keyColumn: "id",
  beforeFirst: "0",
  keyOf: ({ id }) => id,
  itemOf: (row) => ({
    tenant: row.tenant,
    id: BigInt(row.id),
    paymentId: row.payment_id,
    version: BigInt(row.version),
    payment: readable(() => fromBinary(PaymentSchema, row.payment)),
  }),
};

type AuditedRecordRow = Pick<
  RecordRow,
  | "tenant"
  | "scope_hash"
  | "operation"
  | "idempotency_key"
  | "state"
  | "fingerprint_version"
  | "fingerprint"
  | "raw_hash"
  | "attempts"
  | "outcome"
  | "unknown_reason"
> & {
  readonly on_lost_owner: OnLostOwner;
  readonly lease_until: Date;
  readonly request: Buffer | null;
};

// The requests and answers of other services say nothing here, and may be large.
const ofPayment = (column: string) =>
  `CASE WHEN operation IN (${paymentOperations.map((name) => `'${name}'`).join(", ")})
    THEN ${column} END AS ${column}`;

export const records: Table<AuditedRecordRow, AuditedRecord> = {
  name: "idempotency_records",
  columns: `tenant, scope_hash, operation, idempotency_key, state, fingerprint_version,
    fingerprint, raw_hash, on_lost_owner, lease_until, attempts, unknown_reason,
    ${ofPayment("request")}, ${ofPayment("outcome")}`,
  keyColumn: "scope_hash",
  beforeFirst: Buffer.alloc(0),
  keyOf: ({ scope_hash }) => scope_hash,
  itemOf: ({ tenant, operation, idempotency_key: key, request, outcome, ...row }) => {
    const decoded = outcome === null ? undefined : readable(() => decodeOutcome(outcome));
    return {
      tenant,
      scopeHash: row.scope_hash,
      ...(operation === null || key === null ? {} : { scope: { tenant, operation, key } }),
      state: row.state,
      fingerprint: {
        version: row.fingerprint_version,
        canonical: row.fingerprint,
        raw: row.raw_hash,
      },
      onLostOwner: row.on_lost_owner,
      leaseUntil: row.lease_until,
      attempts: row.attempts,
      ...(request === null ? {} : { request }),
      ...(decoded === undefined ? {} : { outcome: decoded }),
      ...(row.unknown_reason === null ? {} : { unknownReason: row.unknown_reason }),
    };
  },
};

/** Bytes that cannot be read are a finding, not the end of the audit. */
function readable<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
