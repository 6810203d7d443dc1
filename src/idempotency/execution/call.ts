import { CallError, type ErrorDescription, refusal } from "../answers/errors.js";
import type { Outcome } from "../port/outcome.js";
import type { Scope } from "../port/scope.js";
import type { Claim, IdempotencyStore } from "../port/store.js";
import type { Fingerprint } from "../request/fingerprint.js";

/**
 * The roles of callers. A `caller` makes calls. An `operator` also inspects and
 * ends keys of its own tenant, a `global_operator` those of every tenant.
 */
export const roles = ["caller", "operator", "global_operator"] as const;

export type Role = (typeof roles)[number];

/** The caller, as the transport's authentication found out; never taken from the request. */
export interface Caller {
  readonly tenant: string;
  readonly role: Role;
  /** Names the credential by which the caller was recognised, for a log; absent without authentication. Never a secret. */
  readonly identity?: string;
  /** The address and port from which the caller calls, as the transport knows them. */
  readonly peer?: string;
}

/** The result of authentication: the caller, or the error with which the call is refused. */
export type Identification =
  | { readonly kind: "caller"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly error: ErrorDescription };

/** The caller that everybody counts as where no authentication is configured: no operator. */
export const DEFAULT_CALLER: Caller = { tenant: "default", role: "caller" };

/**
 * The claim under which a handler runs, as the handler sees it. `Transaction` is
 * the type of the store's transactions, such as `PoolClient` of `pg` for the
 * Postgres store; `never` for a store that has none.
 */
export interface Execution<Transaction = never> {
  readonly scope: Scope;
  /** The request's fingerprint. What an earlier attempt began belongs to this one only if its fingerprint is the same. */
  readonly fingerprint: Fingerprint;
  readonly fencingToken: bigint;
  /** The number of the attempt: 1 for the first. On a later one an earlier attempt may have acted. */
  readonly attempt: number;
  /** Aborted when the claim is lost or the attempt has lasted too long. Never by the client. */
  readonly signal: AbortSignal;

  /**
   * The work that the store began for this request in the commit of its claim,
   * if it did: see `FirstWork` of the Postgres store. Its type is known to the
   * `FirstWork` that made it.
   */
  readonly begun?: object | undefined;

  /** The claim, which `ownWithin` and `completeWithin` need for a transaction of many executions. */
  readonly ownership: Ownership<Transaction>;

  /**
   * Runs work that waits for another system, such as a call to a processor, and
   * passes its result on. While it lasts, the call does not count against the
   * number of calls that its tenant may have at work.
   */
  elsewhere<Result>(work: () => Promise<Result>): Promise<Result>;

  /** Throws what `signal.throwIfAborted()` would throw, and costs less, since no signal is made. */
  throwIfAborted(): void;

  /**
   * Holds the claim until the transaction ends: from then on nobody can take
   * it over before the commit.
   * @throws ClaimLost if another owner has it.
   */
  assertOwner(transaction: Transaction): Promise<void>;

  /**
   * Stores an OK with this serialized response message, in the same commit as
   * the work it describes. What the handler then returns is not used; where the
   * transaction fails or is rolled back, the handler must throw.
   * @throws ClaimLost if another owner has the claim; nothing is written then.
   */
  completeWithin(transaction: Transaction, body: Uint8Array): Promise<void>;
}

/** The means by which an execution holds and completes its claim. */
export interface Ownership<Transaction> {
  readonly store: Pick<IdempotencyStore<Transaction>, "ownWithin" | "completeWithin">;
  readonly claim: Claim;
  readonly retentionMs: number;
  /** Is told of an outcome that a transaction has written; the commit decides. */
  readonly onWritten: (outcome: Outcome) => void;
}

/** The call that a handler serves, whichever transport brought it. */
export interface CallContext<Transaction = never> {
  readonly caller: Caller;
  /** Present where the call carried an idempotency key. */
  readonly execution?: Execution<Transaction>;
  /**
   * Aborted when nobody waits for the answer any more. Under a key it is the
   * execution's own signal, which no client aborts: work that has begun is
   * finished, whoever waits for it.
   */
  readonly signal: AbortSignal;
}

/**
 * Returns the claim under which a handler runs, for one that must not run without.
 * @throws CallError with the reason `IDEMPOTENCY_KEY_MISSING` if the call carried
 * no key, which it can only where the method's policy does not require one.
 */
export function requireExecution<Transaction>({
  execution,
}: CallContext<Transaction>): Execution<Transaction> {
  if (execution === undefined) {
    throw new CallError(
      refusal("IDEMPOTENCY_KEY_MISSING", "this runs only under an idempotency key"),
    );
  }
  return execution;
}
