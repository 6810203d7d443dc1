import type { Payment as PaymentMessage } from "../gen/payonce/payments/v1/payments_pb.js";
import type { Effect } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { Outcome } from "../idempotency/port/outcome.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { OnLostOwner, RecordState } from "../idempotency/port/store.js";
import type { Fingerprint } from "../idempotency/request/fingerprint.js";
import type { LedgerEntry } from "../payments/ledger.js";
import type { Operation } from "../payments/operation.js";
import type { Payment, PaymentState } from "../payments/payment.js";
import type { SequenceState } from "../stores/postgres/sequences.js";
import type { ClientCall } from "./client-call.js";

/** The settings of the audited service that an invariant speaks of. */
export interface AuditLimits {
  /**
   * For how long work may be under way with nobody at it: the lease and the
   * recovery interval. Milliseconds.
   */
  readonly boundMs: number;
  /** The time for which the processor remembers a key. Milliseconds. */
  readonly keyWindowMs: number;
  /** After how many attempts without an outcome a key is held. */
  readonly maxAttempts: number;
}

/** All that the invariants are decided from, of all tenants. */
export interface Facts extends DatabaseFacts, AuditLimits {
  /** The processor's journal in its order. */
  readonly effects: readonly Effect[];
  /** The newest effect that was in the journal before the database was read. */
  readonly settledSequence: bigint;
  /** The calls as clients saw them, up to a moment before the database was read. Absent where nobody wrote them down. */
  readonly calls?: readonly ClientCall[];
}

/** One snapshot of the database. */
export interface DatabaseFacts {
  /** The database's clock at the snapshot. */
  readonly now: Date;
  readonly payments: readonly AuditedPayment[];
  readonly operations: readonly Operation[];
  readonly entries: readonly AuditedEntry[];
  readonly events: readonly AuditedEvent[];
  readonly records: readonly AuditedRecord[];
  /** The sequences that number rows, as far as the auditor may read them. */
  readonly sequences: readonly SequenceState[];
}

export type AuditedPayment = PaymentState &
  Pick<Payment, "tenant" | "id" | "currencyCode" | "minorUnits" | "captureMethod">;

export type AuditedEntry = Omit<LedgerEntry, "createTime"> & { readonly tenant: string };

export interface AuditedEvent {
  readonly tenant: string;
  readonly id: bigint;
  readonly paymentId: string;
  readonly version: bigint;
  /** Undefined where the stored bytes are no payment. */
  readonly payment: PaymentMessage | undefined;
}

export interface AuditedRecord {
  readonly tenant: string;
  readonly scopeHash: Uint8Array;
  /** Absent in a tombstone. */
  readonly scope?: Scope;
  /** The state as it is stored: a claim that nobody may repeat is `executing` also past its lease. */
  readonly state: RecordState;
  readonly fingerprint: Fingerprint;
  readonly onLostOwner: OnLostOwner;
  readonly leaseUntil: Date;
  readonly attempts: number;
  /** The request of a payment call that has no answer yet. */
  readonly request?: Uint8Array;
  /** The answer of a completed payment call; absent where the stored bytes are no outcome. */
  readonly outcome?: Outcome;
  readonly unknownReason?: string;
}
