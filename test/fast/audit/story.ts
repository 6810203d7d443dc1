import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ClientCall } from "../../../src/audit/client-call.js";
import type { AuditedEntry, AuditedEvent, AuditedRecord, Facts } from "../../../src/audit/facts.js";
import { requestFingerprint } from "../../../src/audit/payment-methods.js";
import { PaymentSchema, PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  type Effect,
  EffectSchema,
  EffectType,
} from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { errorOutcome } from "../../../src/idempotency/answers/errors.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../../src/idempotency/port/scope.js";
import type { Fingerprint } from "../../../src/idempotency/request/fingerprint.js";
import { bookingsOf } from "../../../src/payments/ledger.js";
import { paymentMessage } from "../../../src/payments/messages.js";
import {
  type Operation,
  type OperationKind,
  operationIdOf,
  paymentIdOf,
  processorKeyOf,
} from "../../../src/payments/operation.js";
import type { CaptureMethod, Payment } from "../../../src/payments/payment.js";
import { NOT_EXECUTED, reserve, restart, settle, toUnknown } from "../../../src/payments/state.js";
import { payment } from "../../support/payments/payments.js";

const NOW = new Date("2026-01-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const LONG_AGO = new Date(NOW.getTime() - HOUR_MS);
const LATER = new Date(NOW.getTime() + 10_000);

const { method } = PaymentService;
const methods = {
  create: method.createPayment,
  capture: method.capturePayment,
  cancel: method.cancelPayment,
  refund: method.refundPayment,
};

type Ending = "approved" | "declined" | "unknown" | "not_executed";

interface Step {
  readonly kind: OperationKind;
  readonly key: string;
  /** The key that created the payment; its own for a create. */
  readonly payment?: string;
  readonly minorUnits: bigint;
  readonly captureMethod?: CaptureMethod;
  /**
   * How it ended; `unknown` first and then an ending where the reply was lost. What
   * was not executed begins again where another ending follows.
   */
  readonly endings: readonly Ending[];
}

const TENANT = "acme";

const declineCodes: Record<Operation["state"], string> = {
  pending: "",
  unknown: "",
  requires_action: "",
  approved: "",
  declined: "no_funds",
  not_executed: NOT_EXECUTED,
};

/** A day in the life of a service, an hour ago: all that can happen, and all of it as it must. */
const steps: readonly Step[] = [
  { kind: "create", key: "sale", minorUnits: 1_000n, endings: ["approved"] },
  { kind: "refund", key: "return", payment: "sale", minorUnits: 300n, endings: ["approved"] },
  { ...manual("hold"), endings: ["unknown", "approved"] },
  { kind: "capture", key: "part", payment: "hold", minorUnits: 400n, endings: ["approved"] },
  { kind: "capture", key: "too-late", payment: "hold", minorUnits: 100n, endings: ["declined"] },
  { ...manual("dropped"), endings: ["approved"] },
  { kind: "cancel", key: "cancel", payment: "dropped", minorUnits: 1_000n, endings: ["approved"] },
  { kind: "create", key: "refused", minorUnits: 1_000n, endings: ["declined"] },
  { ...manual("waiting"), endings: ["unknown"] },
  { kind: "create", key: "given-up", minorUnits: 1_000n, endings: ["unknown", "not_executed"] },
  { ...manual("retried"), endings: ["unknown", "not_executed", "approved"] },
  { ...retried("no-capture"), kind: "capture", endings: ["unknown", "not_executed"] },
  { ...retried("captured"), kind: "capture", endings: ["not_executed", "approved"] },
  { ...retried("refunding"), kind: "refund", endings: ["unknown"] },
];

/** On a payment that was executed at the second time only. */
function retried(key: string) {
  return { key, payment: "retried", minorUnits: 400n } as const;
}

function manual(key: string) {
  return { kind: "create", key, minorUnits: 1_000n, captureMethod: "MANUAL" } as const;
}

export function scopeOf(kind: OperationKind, key: string): Scope {
  return { tenant: TENANT, operation: `${PaymentService.typeName}/${methods[kind].name}`, key };
}

/** The facts of the story, with the calls of its clients: each key was used twice. */
export function cleanFacts(): Facts & { readonly calls: readonly ClientCall[] } {
  const payments = new Map<string, Payment>();
  const operations: Operation[] = [];
  const entries: AuditedEntry[] = [];
  const events: AuditedEvent[] = [];
  const records: AuditedRecord[] = [];
  const effects: Effect[] = [];
  const calls: ClientCall[] = [];

  function store(after: Payment): void {
    const before = payments.get(after.id);
    payments.set(after.id, after);
    if (after.version !== before?.version) {
      const { tenant, id, version } = after;
      const eventId = BigInt(events.length + 1);
      events.push({ tenant, id: eventId, paymentId: id, version, payment: paymentMessage(after) });
    }
  }

  for (const { kind, key, payment: creation = key, ...step } of steps) {
    const scope = scopeOf(kind, key);
    const paymentId = paymentIdOf(scopeOf("create", creation));
    const asked = { kind, minorUnits: step.minorUnits };
    const before =
      payments.get(paymentId) ??
      payment({ id: paymentId, captureMethod: step.captureMethod ?? "AUTOMATIC" });
    store(before);
    store(reserve(before, asked));
    let state: Operation["state"] = "pending";
    for (const ending of step.endings) {
      const known = payments.get(paymentId) ?? before;
      if (state === "not_executed") {
        store(kind === "create" ? restart(known) : reserve(known, asked));
      }
      const current = payments.get(paymentId) ?? before;
      state = ending;
      if (ending !== "unknown") {
        const declineCode = declineCodes[ending];
        const decision =
          declineCode === ""
            ? ({ kind: "approved" } as const)
            : ({ kind: "declined", declineCode } as const);
        store(settle(current, asked, decision));
      } else if (kind === "create") {
        store(toUnknown(current));
      }
    }
    const after = payments.get(paymentId) ?? before;
    const operation: Operation = {
      tenant: TENANT,
      id: operationIdOf(scope),
      processorKey: processorKeyOf(scope),
      paymentId,
      currencyCode: "EUR",
      state,
      declineCode: declineCodes[state],
      beginTime: LONG_AGO,
      fingerprint: fingerprintOfStory(scope, kind),
      ...asked,
    };
    operations.push(operation);
    if (state === "approved") {
      effects.push(effectOf(operation, after, BigInt(effects.length + 1)));
      for (const booking of bookingsOf(operation, after)) {
        const id = BigInt(entries.length + 1);
        const { id: transactionId } = operation;
        const { tenant, currencyCode } = operation;
        entries.push({ tenant, id, transactionId, paymentId, currencyCode, ...booking });
      }
    }
    const outcome = outcomeOf(operation, after);
    records.push(recordOf(scope, operation, outcome));
    calls.push(...callsOf(scope, outcome, 1_000 * calls.length));
  }
  return {
    now: NOW,
    boundMs: 16_000,
    keyWindowMs: 24 * HOUR_MS,
    maxAttempts: 200,
    effects,
    settledSequence: BigInt(effects.length),
    payments: [...payments.values()],
    operations,
    entries,
    events,
    records,
    sequences: [
      { sequence: "payment_events_id_seq", table: "payment_events", last: 9n, highest: 9n },
    ],
    calls,
  };
}

const automaticType = { AUTOMATIC: EffectType.AUTHORIZE_CAPTURE, MANUAL: EffectType.AUTHORIZE };

function effectOf(operation: Operation, { captureMethod }: Payment, sequence: bigint): Effect {
  const { kind, processorKey, paymentId, currencyCode, minorUnits } = operation;
  const types = {
    create: automaticType[captureMethod],
    capture: EffectType.CAPTURE,
    cancel: EffectType.VOID,
    refund: EffectType.REFUND,
  };
  return create(EffectSchema, {
    sequence,
    type: types[kind],
    processorKey,
    paymentId,
    createTime: timestampFromDate(LONG_AGO),
    ...(kind === "cancel" ? {} : { amount: { currencyCode, minorUnits } }),
  });
}

/** What the service stored for good, or nothing. */
function outcomeOf({ kind, state }: Operation, after: Payment): Outcome | undefined {
  if (state === "unknown" || state === "not_executed") {
    return undefined;
  }
  if (state === "declined" && kind !== "create") {
    const reason = "PAYMENT_NOT_CAPTURABLE";
    return errorOutcome({
      code: Code.FAILED_PRECONDITION,
      reason,
      message: "the processor declined: no_funds",
      next: "fix_request",
    });
  }
  return okOutcome(answerBody(kind, after));
}

function answerBody(kind: OperationKind, after: Payment): Uint8Array {
  const { output } = methods[kind];
  return toBinary(output, create(output, { payment: paymentMessage(after) }));
}

function requestOf(kind: OperationKind): Uint8Array {
  const { input } = methods[kind];
  return toBinary(input, create(input));
}

function fingerprintOfStory({ operation }: Scope, kind: OperationKind): Fingerprint {
  const fingerprint = requestFingerprint(kind, operation, requestOf(kind));
  if (fingerprint === undefined) {
    throw new Error("a request of the story cannot be recognised");
  }
  return fingerprint;
}

function recordOf(
  scope: Scope,
  { kind, state }: Operation,
  outcome: Outcome | undefined,
): AuditedRecord {
  const common = {
    tenant: scope.tenant,
    scopeHash: scopeHash(scope),
    scope,
    fingerprint: fingerprintOfStory(scope, kind),
    onLostOwner: "rerun",
    attempts: 1,
    leaseUntil: LONG_AGO,
  } as const;
  if (outcome !== undefined) {
    return { ...common, state: "completed", outcome };
  }
  return state === "not_executed"
    ? { ...common, state: "released" }
    : { ...common, state: "executing", leaseUntil: LATER, request: requestOf(kind) };
}

/** The first call and a later duplicate; of a call under way both end without an answer. */
function callsOf(scope: Scope, outcome: Outcome | undefined, atMs: number): ClientCall[] {
  const call = { scope, request: "the request", headers: [], body: new Uint8Array() };
  const answer = outcome ?? {
    code: Code.UNAVAILABLE,
    message: "not known yet",
    trailers: [],
    reason: "OUTCOME_UNKNOWN",
  };
  return [0, 500].map((delayMs) => ({
    ...call,
    ...answer,
    startMs: atMs + delayMs,
    endMs: atMs + delayMs + 100,
    isReplayed: outcome !== undefined && delayMs > 0,
  }));
}

/** An event of the story with another payment in it. */
export function changedEvent(event: AuditedEvent, change: Partial<AuditedEvent["payment"]>) {
  const { payment: before } = event;
  if (before === undefined) {
    throw new Error("the event holds no payment");
  }
  return { ...event, payment: create(PaymentSchema, { ...before, ...change }) };
}
