import type { Payment as PaymentMessage } from "../gen/payonce/payments/v1/payments_pb.js";
import type { Effect } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../idempotency/answers/code.js";
import type { Scope } from "../idempotency/port/scope.js";
import { type Operation, type OperationKind, operationIdOf } from "../payments/operation.js";
import type { ClientCall } from "./client-call.js";
import type { AuditedEntry, AuditedEvent, AuditedPayment, AuditedRecord, Facts } from "./facts.js";
import { answeredPayment, kindOf } from "./payment-methods.js";

/** One key of a call that writes a payment, with its record and its operation. */
export interface PaymentKey {
  readonly record: AuditedRecord;
  readonly scope: Scope;
  readonly kind: OperationKind;
  readonly operation: Operation | undefined;
  /** True if the stored answer is an OK. */
  readonly isAcknowledged: boolean;
  /** The payment that a stored OK tells of. */
  readonly answered: PaymentMessage | undefined;
}

/** The facts with what belongs together found. Names are made by `nameOf`. */
export interface IndexedFacts extends Facts {
  readonly paymentByName: ReadonlyMap<string, AuditedPayment>;
  readonly paymentsById: ReadonlyMap<string, readonly AuditedPayment[]>;
  readonly operationByName: ReadonlyMap<string, Operation>;
  readonly operationsByPayment: ReadonlyMap<string, readonly Operation[]>;
  readonly operationsByProcessorKey: ReadonlyMap<string, readonly Operation[]>;
  readonly effectsByProcessorKey: ReadonlyMap<string, readonly Effect[]>;
  readonly entriesByTransaction: ReadonlyMap<string, readonly AuditedEntry[]>;
  readonly entriesByPayment: ReadonlyMap<string, readonly AuditedEntry[]>;
  /** By version within each payment. */
  readonly eventsByPayment: ReadonlyMap<string, readonly AuditedEvent[]>;
  readonly keys: readonly PaymentKey[];
  readonly keyByOperation: ReadonlyMap<string, PaymentKey>;
  readonly keyByScope: ReadonlyMap<string, PaymentKey>;
  readonly callsByScope: ReadonlyMap<string, readonly ClientCall[]>;
}

/** Names what is unique within its tenant. Postgres stores no NUL, so no two names are alike. */
export function nameOf(tenant: string, ...parts: readonly string[]): string {
  return [tenant, ...parts].join("\0");
}

export function scopeName({ tenant, operation, key }: Scope): string {
  return nameOf(tenant, operation, key);
}

export function indexFacts(facts: Facts): IndexedFacts {
  const { payments, operations, effects, entries, events, records, calls = [] } = facts;
  const operationByName = uniqueBy(operations, ({ tenant, id }) => nameOf(tenant, id));
  const keys = records.flatMap((record) => paymentKeys(record, operationByName));
  const byVersion = events.toSorted((left, right) => Number(left.version - right.version));
  return {
    ...facts,
    paymentByName: uniqueBy(payments, ({ tenant, id }) => nameOf(tenant, id)),
    paymentsById: groupBy(payments, ({ id }) => id),
    operationByName,
    operationsByPayment: groupBy(operations, paymentNameOf),
    operationsByProcessorKey: groupBy(operations, ({ processorKey }) => processorKey),
    effectsByProcessorKey: groupBy(effects, ({ processorKey }) => processorKey),
    entriesByTransaction: groupBy(entries, (entry) => nameOf(entry.tenant, entry.transactionId)),
    entriesByPayment: groupBy(entries, paymentNameOf),
    eventsByPayment: groupBy(byVersion, paymentNameOf),
    keys,
    keyByOperation: uniqueBy(keys, ({ scope }) => nameOf(scope.tenant, operationIdOf(scope))),
    keyByScope: uniqueBy(keys, ({ scope }) => scopeName(scope)),
    callsByScope: groupBy(calls, ({ scope }) => scopeName(scope)),
  };
}

/** The record as a payment's key; none for a tombstone and for the keys of other services. */
function paymentKeys(
  record: AuditedRecord,
  operationByName: ReadonlyMap<string, Operation>,
): readonly PaymentKey[] {
  const { scope, outcome } = record;
  const kind = scope && kindOf(scope.operation);
  if (scope === undefined || kind === undefined) {
    return [];
  }
  const isAcknowledged = outcome?.code === Code.OK;
  return [
    {
      record,
      scope,
      kind,
      operation: operationByName.get(nameOf(scope.tenant, operationIdOf(scope))),
      isAcknowledged,
      answered: isAcknowledged ? answeredPayment(kind, outcome.body) : undefined,
    },
  ];
}

function paymentNameOf(item: { readonly tenant: string; readonly paymentId: string }): string {
  return nameOf(item.tenant, item.paymentId);
}

export function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [item]);
    } else {
      group.push(item);
    }
  }
  return groups;
}

function uniqueBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, Item> {
  return new Map(items.map((item) => [keyOf(item), item]));
}
