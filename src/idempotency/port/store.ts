import type { Fingerprint } from "../request/fingerprint.js";
import type { Outcome } from "./outcome.js";
import type { Scope } from "./scope.js";

/** What becomes of a claim whose owner died or does not know its outcome: held for an operator, or run again. */
export type OnLostOwner = "hold" | "rerun";

export interface ClaimRequest {
  readonly scope: Scope;
  /**
   * An id that is made once for one call. An owner whose commit reply was lost
   * asks again with the same id, and learns that it is the owner.
   */
  readonly claimId: string;
  readonly fingerprint: Fingerprint;
  /** The request's bytes, kept until completion so that another attempt can repeat it. */
  readonly request: Uint8Array;
  /** The claim was asked for before and not answered: its caller may be the owner without knowing it. */
  readonly mayBeOwner?: boolean;
  /** The request as the handler gets it, for a store that begins the handler's work with the claim. */
  readonly message?: object;
  /** Returns true once nobody waits for the answer: a claim that is not sent by then need not be. */
  readonly isAbandoned?: (() => boolean) | undefined;
  readonly onLostOwner: OnLostOwner;
  /** The time for which the claim lives without `extend`. Milliseconds on the store's clock. */
  readonly leaseMs: number;
}

/** Proof of ownership. Every write of an owner carries it; a store refuses any but the newest. */
export interface Claim {
  readonly scope: Scope;
  readonly claimId: string;
  readonly fingerprint: Fingerprint;
  /** A number of one sequence that never repeats, also after a release; it grows with every takeover. */
  readonly fencingToken: bigint;
  /** 1 for the first owner of the record, or since it was reopened; one more with each takeover. */
  readonly attempt: number;
}

/** The end of a claim, as its owner declares it. */
export interface Completion {
  readonly claim: Claim;
  readonly outcome: Outcome;
  /** The time for which the outcome is replayed. Milliseconds. */
  readonly retentionMs: number;
}

/** A claim taken over from another owner, with all that is needed to run the call again. */
export interface TakenOver {
  readonly claim: Claim;
  readonly request: Uint8Array;
}

/** The answer of a store to a claim. */
export type ClaimResult =
  /** The caller is the owner now. `begun` is what the store began with the claim: see `Execution`. */
  | { readonly kind: "claimed"; readonly claim: Claim; readonly begun?: object }
  /** The same request was answered before. */
  | { readonly kind: "replay"; readonly outcome: Outcome }
  /** The same request is executing. `elapsedMs` is absent where only a lock was asked. */
  | {
      readonly kind: "in_progress";
      readonly elapsedMs?: number;
      readonly leaseRemainingMs: number;
    }
  /** The same request may have acted. The key is held for an operator, and has been for `heldMs`. */
  | { readonly kind: "held"; readonly heldMs: number }
  /** The key was used for another request. */
  | { readonly kind: "mismatch" }
  /** The answer has passed its retention. */
  | { readonly kind: "expired" };

/** The state in which an owner leaves a claim whose outcome it does not know. */
export type Suspension =
  /** Another attempt may take over after the delay. */
  | { readonly kind: "rerun"; readonly afterMs: number; readonly reason: string }
  /** No other attempt may take over, until an operator resolves the key. */
  | { readonly kind: "hold"; readonly reason: string };

/**
 * Keeps claims and outcomes: one record for each scope.
 *
 * Every write of an owner names its claim and is fenced: it takes effect only
 * while the record carries the claim's token, and answers whether it did. Time
 * is the store's own. A method rejects only when the store cannot be reached
 * or cannot say what happened; the caller then knows nothing.
 *
 * `Transaction` is the store's handle on a transaction of the caller's, for
 * outcomes that commit together with the work they describe.
 */
export interface IdempotencyStore<Transaction = never> {
  /**
   * Claims a scope, or says what stands in the way. A caller becomes an owner in
   * no other way. Rejects with StoreOverloaded if the claim was not asked for at all.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /** Lets the claim live for `leaseMs` from now. */
  extend(claim: Claim, leaseMs: number): Promise<boolean>;

  /** Stores the final outcome, to be replayed for `retentionMs`. Durable when it resolves. */
  complete(claim: Claim, outcome: Outcome, retentionMs: number): Promise<boolean>;

  /**
   * Stores the final outcomes of many claims within a transaction of the caller's:
   * durable once that commits. Answers by position.
   */
  completeWithin(
    transaction: Transaction,
    completions: readonly Completion[],
  ): Promise<readonly boolean[]>;

  /** Tells the store that a `completeWithin` has committed, so that copies may be handed out. */
  committed(claim: Claim, outcome: Outcome, retentionMs: number): Promise<void>;

  /** Says by position whether each claim still owns its record, which then stays so until the transaction ends. */
  ownWithin(transaction: Transaction, claims: readonly Claim[]): Promise<readonly boolean[]>;

  /**
   * Frees the key: nothing was ever executed under it. One that an operator has
   * ended before is only reopened.
   */
  release(claim: Claim): Promise<boolean>;

  /**
   * Frees the key for its own request alone: something began under it, and it
   * is known that nothing came of it. The fingerprint stays for good. The next
   * claim of the same request is a first one.
   */
  reopen(claim: Claim): Promise<boolean>;

  /** Reopens the key within a transaction of the caller's: it takes effect once that commits. */
  reopenWithin(transaction: Transaction, claim: Claim): Promise<boolean>;

  /** Leaves the claim without an outcome. */
  suspend(claim: Claim, suspension: Suspension): Promise<boolean>;

  /**
   * Takes over at most `limit` claims past their lease that may be run again, in
   * the order of `inTurns`. Two callers never get the same claim. One that has
   * been taken over often waits longer each time (`recoveryBackoffMs`), up to five
   * minutes more than its lease, so that a call that kills every owner leaves room
   * for others.
   */
  takeOverExpired(options: {
    /** Only claims of these operations. */
    readonly operations: readonly string[];
    /** No claims of these tenants. Default: of any tenant. */
    readonly exceptTenants?: readonly string[];
    readonly limit: number;
    readonly leaseMs: number;
  }): Promise<readonly TakenOver[]>;

  /** Shrinks at most `limit` answers past their retention to tombstones, and says how many. */
  reap(limit: number): Promise<number>;

  /**
   * Makes an operator the owner of a held record; nobody else can become it. The
   * record's history keeps `reason`. Undefined if the record is not held under
   * this token any more.
   */
  reclaim(
    scope: Scope,
    held: {
      /** The token of the record as the operator read it. */
      readonly fencingToken: bigint;
      readonly reason: string;
      readonly leaseMs: number;
    },
  ): Promise<TakenOver | undefined>;

  /** One record and its events, or undefined. */
  get(scope: Scope): Promise<{ record: StoredRecord; events: readonly RecordEvent[] } | undefined>;

  /** A page of a tenant's records, the newest first. */
  list(filter: RecordFilter): Promise<RecordPage>;
}

/**
 * Returns for how much longer than its lease recovery leaves a claim alone, by the
 * number of owners that it has had: 0, 1, 3, 7 ... seconds, at most five minutes.
 */
export function recoveryBackoffMs(attempts: number): number {
  return 1_000 * Math.min(2 ** (attempts - 1) - 1, 300);
}

/** The state of a record. A `released` key is free for its own request, and used for any other. */
export type RecordState = "executing" | "held" | "released" | "completed" | "expired";

/** A record as operators see it. Times are milliseconds since the epoch on the store's clock. */
export interface StoredRecord {
  readonly tenant: string;
  /** Absent in a tombstone, like the key. */
  readonly operation?: string;
  readonly key?: string;
  readonly state: RecordState;
  readonly fingerprint: Fingerprint;
  readonly fencingToken: bigint;
  /** The id of the last claim. */
  readonly claimId: string;
  readonly attempts: number;
  readonly createTimeMs: number;
  readonly claimTimeMs: number;
  /** The time that is left of an executing record's lease; negative once it has run out. */
  readonly leaseRemainingMs?: number;
  readonly completeTimeMs?: number;
  readonly expireTimeMs?: number;
  readonly outcome?: Outcome;
  readonly unknownReason?: string;
}

/** An event of a record, besides its first claim and its completion. */
export interface RecordEvent {
  readonly timeMs: number;
  readonly type: "taken_over" | "outcome_unknown" | "resolved";
  readonly fencingToken: bigint;
  readonly detail: string;
}

export interface RecordFilter {
  readonly tenant: string;
  readonly operation?: string;
  readonly state?: RecordState;
  readonly pageSize: number;
  readonly pageToken?: string;
}

export interface RecordPage {
  readonly records: readonly StoredRecord[];
  readonly nextPageToken?: string;
}
