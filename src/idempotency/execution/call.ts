import { CallError, type ErrorDescription, refusal } from "../answers/errors.js";
import type { Outcome } from "../port/outcome.js";
import type { Scope } from "../port/scope.js";
import type { Claim, IdempotencyStore } from "../port/store.js";
import type { Fingerprint } from "../request/fingerprint.js";

/**
 * What a caller may do: call; also inspect and end keys, of its own tenant; or
 * of every tenant.
 */
export const roles = ["caller", "operator", "global_operator"] as const;

export type Role = (typeof roles)[number];

/** The caller, as the transport's authentication found out; never taken from the request. */
export interface Caller {
  readonly tenant: string;
  readonly role: Role;
  /** The credential by which it was recognised, for a log; absent without authentication. Never a secret. */
  readonly identity?: string;
  /** The address and port from which it calls, as the transport knows them. */
  readonly peer?: string;
}

/** Who calls, or why nobody may. */
export type Identification =
  | { readonly kind: "caller"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly error: ErrorDescription };

/** The caller that everybody counts as where no authentication is configured: no operator. */
export const DEFAULT_CALLER: Caller = { tenant: "default", role: "caller" };

/**
 * What a handler knows of the claim under which it runs. `Transaction` is the
 * store's handle on a transaction of the handler's own.
 */
export interface Execution<Transaction = never> {
  readonly scope: Scope;
  /** The request's: what an earlier attempt began belongs to this one only if it is the same. */
  readonly fingerprint: Fingerprint;
  readonly fencingToken: bigint;
  /** 1 on the first attempt. On a later one an earlier attempt may have acted. */
  readonly attempt: number;
  /** Aborted when the claim is lost or the attempt has lasted too long. Never by the client. */
  readonly signal: AbortSignal;

  /**
   * What the store began for this request in the commit of its claim, if it did:
   * see `FirstWork` of the Postgres store. Whoever gave the store that work knows
   * what it is.
   */
  readonly begun?: object | undefined;

  /** The claim, which `ownWithin` and `completeWithin` need for a transaction of many executions. */
  readonly ownership: Ownership<Transaction>;

  /**
   * Runs work of another system, such as a call to a processor. While it lasts,
   * the call takes no place from others of its tenant.
   */
  elsewhere<Result>(work: () => Promise<Result>): Promise<Result>;

  /** Throws what the signal's own would throw, and costs less than a signal. */
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

/** How an execution holds and completes its claim. */
export interface Ownership<Transaction> {
  readonly store: Pick<IdempotencyStore<Transaction>, "ownWithin" | "completeWithin">;
  readonly claim: Claim;
  readonly retentionMs: number;
  /** Is told of an outcome that a transaction has written; the commit decides. */
  readonly onWritten: (outcome: Outcome) => void;
}

/** What a handler knows of the call it serves, whichever transport brought it. */
export interface CallContext<Transaction = never> {
  readonly caller: Caller;
  /** Present where the call carried an idempotency key. */
  readonly execution?: Execution<Transaction>;
  /**
   * Aborted when nobody waits for the answer any more. Under a key it is the
   * execution's: work that has begun is finished, whoever waits for it.
   */
  readonly signal: AbortSignal;
}

/**
 * The claim under which a handler runs, for one that must not run without.
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
