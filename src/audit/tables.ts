import { fromBinary } from "@bufbuild/protobuf";
import { PaymentSchema } from "../gen/payonce/payments/v1/payments_pb.js";
import { decodeOutcome } from "../idempotency/outcome.js";
import type { OnLostOwner, RecordState } from "../idempotency/store.js";
import type { Account } from "../payments/ledger.js";
import type { Operation, OperationKind } from "../payments/operation.js";
import type { CaptureMethod, PaymentStatus } from "../payments/payment.js";
import type { AuditedEntry, AuditedEvent, AuditedPayment, AuditedRecord } from "./facts.js";
import { paymentOperations } from "./payment-methods.js";

// What the audit reads of each table. The constraints of the tables vouch for
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

interface PaymentRow {
  readonly tenant: string;
  readonly id: string;
  readonly currency_code: string;
  readonly amount: string;
  readonly capture_method: CaptureMethod;
  readonly status: PaymentStatus;
  readonly version: string;
  readonly authorized: string;
  readonly captured: string;
  readonly capturing: string;
  readonly refunded: string;
  readonly refunding: string;
  readonly canceling: boolean;
  readonly decline_code: string;
}

export const payments: Table<PaymentRow, AuditedPayment> = {
  name: "payments",
  columns: `tenant, id, currency_code, amount, capture_method, status, version, authorized,
    captured, capturing, refunded, refunding, canceling, decline_code`,
  keyColumn: "id",
  beforeFirst: "",
  keyOf: ({ id }) => id,
  itemOf: (row) => ({
    tenant: row.tenant,
    id: row.id,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.amount),
    captureMethod: row.capture_method,
    status: row.status,
    version: BigInt(row.version),
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    capturing: BigInt(row.capturing),
    refunded: BigInt(row.refunded),
    refunding: BigInt(row.refunding),
    canceling: row.canceling,
    declineCode: row.decline_code,
  }),
};

interface OperationRow {
  readonly tenant: string;
  readonly id: string;
  readonly processor_key: string;
  readonly payment_id: string;
  readonly kind: OperationKind;
  readonly minor_units: string;
  readonly currency_code: string;
  readonly state: Operation["state"];
  readonly decline_code: string;
  readonly begin_time: Date;
  readonly fingerprint_version: number | null;
  readonly fingerprint: Buffer | null;
  readonly raw_hash: Buffer | null;
}

export const operations: Table<OperationRow, Operation> = {
  name: "operations",
  columns: `tenant, id, processor_key, payment_id, kind, minor_units, currency_code, state,
    decline_code, begin_time, fingerprint_version, fingerprint, raw_hash`,
  keyColumn: "id",
  beforeFirst: "",
  keyOf: ({ id }) => id,
  itemOf: ({ fingerprint_version: version, fingerprint: canonical, raw_hash: raw, ...row }) => ({
    tenant: row.tenant,
    id: row.id,
    processorKey: row.processor_key,
    paymentId: row.payment_id,
    kind: row.kind,
    minorUnits: BigInt(row.minor_units),
    currencyCode: row.currency_code,
    state: row.state,
    declineCode: row.decline_code,
    beginTime: row.begin_time,
    ...(version === null || canonical === null || raw === null
      ? {}
      : { fingerprint: { version, canonical, raw } }),
  }),
};

interface EntryRow {
  readonly tenant: string;
  readonly id: string;
  readonly transaction_id: string;
  readonly payment_id: string;
  readonly account: Account;
  readonly currency_code: string;
  readonly minor_units: string;
}

export const entries: Table<EntryRow, AuditedEntry> = {
  name: "ledger_entries",
  columns: "tenant, id, transaction_id, payment_id, account, currency_code, minor_units",
  keyColumn: "id",
  beforeFirst: "0",
  keyOf: ({ id }) => id,
  itemOf: (row) => ({
    tenant: row.tenant,
    id: BigInt(row.id),
    transactionId: row.transaction_id,
    paymentId: row.payment_id,
    account: row.account,
    currencyCode: row.currency_code,
    minorUnits: BigInt(row.minor_units),
  }),
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

interface RecordRow {
  readonly tenant: string;
  readonly scope_hash: Buffer;
  readonly operation: string | null;
  readonly idempotency_key: string | null;
  readonly state: RecordState;
  readonly fingerprint_version: number;
  readonly fingerprint: Buffer;
  readonly raw_hash: Buffer;
  readonly on_lost_owner: OnLostOwner;
  readonly lease_until: Date;
  readonly attempts: number;
  readonly request: Buffer | null;
  readonly outcome: Buffer | null;
  readonly unknown_reason: string | null;
}

// The requests and answers of other services say nothing here, and may be large.
const ofPayment = (column: string) =>
  `CASE WHEN operation IN (${paymentOperations.map((name) => `'${name}'`).join(", ")})
    THEN ${column} END AS ${column}`;

export const records: Table<RecordRow, AuditedRecord> = {
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
