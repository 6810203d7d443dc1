import { CallError, ClaimLost, errorOutcome, Parked } from "../answers/errors.js";
import type { Clock } from "../clock.js";
import {
  type DeclaredClass,
  madeOutcome,
  type Outcome,
  type PendingOutcome,
} from "../port/outcome.js";
import type { Claim, IdempotencyStore } from "../port/store.js";
import type { MethodPolicy } from "../request/policy.js";
import type { Execution } from "./call.js";
import { LazyAbort } from "./lazy-abort.js";
import { completeWithin, ownWithin } from "./ownership.js";

/**
 * A heartbeat each fifth of the lease: one may be late or lost without the
 * claim, or the lock that lives a third of the lease, running out.
 */
const HEARTBEATS_PER_LEASE = 5;

/** Runs the handler once. Rejects with what the handler threw. */
export type Run<Transaction> = (
  execution: Execution<Transaction>,
) => Promise<Outcome | PendingOutcome>;

/** The end of one attempt. */
export type AttemptResult =
  | { readonly kind: "ended"; readonly outcome: Outcome; readonly declared?: DeclaredClass }
  /** Ended with an OK that the handler has stored in its own transaction. */
  | { readonly kind: "stored"; readonly outcome: Outcome }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "parked"; readonly reason: string }
  | { readonly kind: "claim_lost" };

export interface AttemptOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly clock: Clock;
  readonly claim: Claim;
  /** See `Execution`. */
  readonly begun?: object | undefined;
  readonly policy: MethodPolicy;
  /** The longest time for which heartbeats keep the claim alive. Milliseconds. */
  readonly maxExecutionMs: number;
  readonly run: Run<Transaction>;
  /** See `Execution`. */
  readonly elsewhere: Execution<Transaction>["elsewhere"];
  /** Holds, while the attempt lasts, what gives it up. */
  readonly running: Set<() => void>;
}

/** The end of an attempt that is given up because its server stops. */
export const GIVEN_UP: AttemptResult = {
  kind: "failed",
  reason: "the server stopped before the attempt had ended",
};

/**
 * Runs the handler under its claim, with heartbeats. Ends without the handler
 * if the claim is lost, the attempt lasts too long or is given up: the handler's
 * signal aborts then, and whatever it still writes is fenced.
 */
export function attempt<Transaction>(options: AttemptOptions<Transaction>): Promise<AttemptResult> {
  const { running } = options;
  return new Promise((resolve) => {
    const abort = new LazyAbort();
    const completion: Completion = { stored: undefined };
    const end = (result: AttemptResult) => {
      running.delete(giveUp);
      resolve(result);
    };
    const stopHeartbeat = startHeartbeat(options, completion, (result) => {
      abort.abort();
      end(result);
    });
    const giveUp = () => {
      abort.abort();
      void stopHeartbeat().then(() => end(GIVEN_UP));
    };
    running.add(giveUp);
    void runHandler(options, completion, abort).then(async (result) => {
      await stopHeartbeat();
      end(result);
    });
  });
}

/** Keeps the claim alive while its outcome is stored: that may have to wait for others. */
export async function extendingWhile<Transaction, Result>(
  options: Omit<AttemptOptions<Transaction>, "run" | "running" | "elsewhere">,
  stored: Outcome,
  during: () => Promise<Result>,
): Promise<Result> {
  const stopHeartbeat = startHeartbeat(options, { stored }, () => {});
  try {
    return await during();
  } finally {
    // One that is on its way finds the claim completed.
    void stopHeartbeat();
  }
}

/** The outcome of the attempt that is stored, or about to be. */
interface Completion {
  stored: Outcome | undefined;
}

async function runHandler<Transaction>(
  { store, claim, begun, policy, run, elsewhere }: AttemptOptions<Transaction>,
  completion: Completion,
  abort: LazyAbort,
): Promise<AttemptResult> {
  const execution: Execution<Transaction> = {
    scope: claim.scope,
    fingerprint: claim.fingerprint,
    fencingToken: claim.fencingToken,
    attempt: claim.attempt,
    get signal() {
      return abort.signal;
    },
    begun,
    elsewhere,
    throwIfAborted: () => abort.throwIfAborted(),
    ownership: {
      store,
      claim,
      retentionMs: policy.retentionMs,
      onWritten(outcome) {
        completion.stored = outcome;
      },
    },
    async assertOwner(transaction) {
      const [isOwner] = await ownWithin(transaction, [execution]);
      if (isOwner !== true) {
        throw new ClaimLost();
      }
    },
    completeWithin: (transaction, body) => completeWithin(transaction, [{ execution, body }]),
  };
  try {
    const ended = await run(execution);
    const { stored } = completion;
    return stored === undefined
      ? { kind: "ended", outcome: madeOutcome(ended) }
      : { kind: "stored", outcome: stored };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): AttemptResult {
  try {
    return failureOf(error);
  } catch {
    // Anything can be thrown, also what can neither be encoded nor printed.
    return { kind: "failed", reason: "the handler threw what cannot be described" };
  }
}

function failureOf(error: unknown): AttemptResult {
  if (error instanceof CallError) {
    const outcome = errorOutcome(error.description);
    return error.declared === undefined
      ? { kind: "ended", outcome }
      : { kind: "ended", outcome, declared: error.declared };
  }
  if (error instanceof Parked) {
    return { kind: "parked", reason: storable(error.message) };
  }
  if (error instanceof ClaimLost) {
    return { kind: "claim_lost" };
  }
  return { kind: "failed", reason: storable(error instanceof Error ? error.message : error) };
}

/** A reason is for people, and each attempt stores one. Characters. */
const MAX_REASON_LENGTH = 1_000;

/** A thrown text as a database takes it: Postgres stores no NUL. */
function storable(text: unknown): string {
  return String(text).replaceAll("\0", " ").slice(0, MAX_REASON_LENGTH).toWellFormed();
}

/**
 * Extends the claim until it is stopped, or has to give up. Returns what stops
 * it, and waits for a heartbeat on its way: it would prolong a claim that is
 * handed on meanwhile.
 */
function startHeartbeat<Transaction>(
  {
    store,
    clock,
    claim,
    policy,
    maxExecutionMs,
  }: Omit<AttemptOptions<Transaction>, "run" | "running" | "elsewhere">,
  completion: Completion,
  giveUp: (result: AttemptResult) => void,
): () => Promise<void> {
  const startedAtMs = clock.nowMs();
  const intervalMs = policy.leaseMs / HEARTBEATS_PER_LEASE;
  let stopped = false;
  let beating: Promise<void> | undefined;
  let cancelTimer = schedule();

  function schedule(): () => void {
    const leftMs = maxExecutionMs - (clock.nowMs() - startedAtMs);
    return clock.setTimer(Math.max(0, Math.min(intervalMs, leftMs)), () => {
      beating = beat();
    });
  }

  async function beat(): Promise<void> {
    if (clock.nowMs() - startedAtMs >= maxExecutionMs) {
      giveUp({ kind: "failed", reason: `the attempt lasted longer than ${maxExecutionMs} ms` });
      return;
    }
    // A store that is away says nothing about the claim: the lease decides.
    const extended = await store.extend(claim, policy.leaseMs).catch(() => true);
    if (stopped) {
      return;
    }
    // Once the handler has stored its outcome, there is no claim to extend; the commit decides.
    if (extended || completion.stored !== undefined) {
      cancelTimer = schedule();
    } else {
      giveUp({ kind: "claim_lost" });
    }
  }

  return async () => {
    stopped = true;
    cancelTimer();
    await beating;
  };
}
