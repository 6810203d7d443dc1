import type { Scope } from "../../src/idempotency/port/scope.js";
import { digest } from "../../src/idempotency/request/digest.js";
import type { Fingerprint } from "../../src/idempotency/request/fingerprint.js";
import type { MethodPolicy } from "../../src/idempotency/request/policy.js";
import { type OperationKind, paymentIdOf } from "../../src/payments/operation.js";

// The calls that a world is asked for.

/**
 * - an operation of the payment service, with rows of its own, on the world's one payment
 * - `rerun`: a handler that may be repeated under the same processor key
 * - `hold`: a handler that must not be repeated, and has no key to repeat it under
 */
export type Kind = OperationKind | "rerun" | "hold";

export const KINDS: readonly Kind[] = ["create", "capture", "refund", "cancel", "rerun", "hold"];

export function isOperation(kind: Kind): kind is OperationKind {
  return kind !== "rerun" && kind !== "hold";
}

export const TENANT = "tenant";

/** The call that creates the world's payment. */
export const CREATION = scopeOf("create", "payment");
export const PAYMENT_ID = paymentIdOf(CREATION);

export const LEASE_MS = 5_000;
export const MAX_EXECUTION_MS = 20_000;

/** Durations of one world's policies. Milliseconds. */
export interface PolicyTimes {
  readonly inFlightWaitMs: number;
  readonly retentionMs: number;
}

export function policyOf(kind: Kind, times: PolicyTimes): MethodPolicy {
  return {
    operation: kind,
    required: true,
    onLostOwner: kind === "hold" ? "hold" : "rerun",
    leaseMs: LEASE_MS,
    ...times,
  };
}

/** What a client sends. */
export interface SentCall {
  readonly id: string;
  readonly scope: Scope;
  /** Another text is another request; see `requests.ts`. */
  readonly request: string;
  readonly sentAtMs: number;
  /** After this its client waits no longer. Milliseconds. */
  readonly deadlineMs: number;
}

export function scopeOf(kind: Kind, key: string): Scope {
  return { tenant: TENANT, operation: kind, key };
}

export function kindOf({ operation }: Pick<Scope, "operation">): Kind {
  const kind = KINDS.find((one) => one === operation);
  if (kind === undefined) {
    throw new RangeError(`there is no operation ${operation}`);
  }
  return kind;
}

export function nameOf({ operation, key }: Scope): string {
  return `${operation}/${key}`;
}

export function fingerprintOf(request: string): Fingerprint {
  const hash = digest("simulation", request);
  return { version: 1, canonical: hash, raw: hash };
}
