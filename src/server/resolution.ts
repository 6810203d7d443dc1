import type { PoolClient } from "pg";
import { PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../idempotency/answers/code.js";
import { CallError, Parked } from "../idempotency/answers/errors.js";
import type { Executor } from "../idempotency/execution/executor.js";
import type { Outcome } from "../idempotency/port/outcome.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { IdempotencyStore, TakenOver } from "../idempotency/port/store.js";
import { type RepeatableMethod, repeatableMethods } from "../idempotency/request/methods.js";
import type { PolicyDefaults } from "../idempotency/request/policy.js";
import { createKeyWindow } from "../payments/key-window.js";
import { endAsNotExecuted, hasResult } from "../payments/postgres/not-executed.js";
import type { ProcessorDecision } from "../payments/processor.js";
import { createDecidedProcessor } from "../payments/processors/decided.js";
import { createPaymentHandlers, type Dependencies } from "../payments/service.js";

/** The outcome that an operator found out for a held key. */
export type Resolution =
  | { readonly kind: "not_executed" }
  | { readonly kind: "outcome"; readonly outcome: Outcome };

/** The result of an operator's resolution. */
export type Resolved =
  /** It is stored, and durable. */
  | { readonly kind: "resolved" }
  /** The record is not held under the token any more. Nothing was written. */
  | { readonly kind: "changed" }
  /** A response that the key cannot have. Nothing was written. */
  | { readonly kind: "invalid"; readonly message: string }
  /** The record is not ended so; what was found instead. */
  | { readonly kind: "failed"; readonly message: string };

/** Ends a held key. */
export type ResolveHeld = (
  scope: Scope,
  held: {
    readonly fencingToken: bigint;
    readonly reason: string;
    readonly resolution: Resolution;
  },
) => Promise<Resolved>;

export interface ResolverOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly executor: Executor<Transaction>;
  readonly payments: HeldPayments<Transaction>;
  readonly defaults: PolicyDefaults;
}

/** The payments behind the keys, besides their records. */
export interface HeldPayments<Transaction> {
  /** The payment service's methods, by operation, over a processor that has decided so. */
  methods(decision: ProcessorDecision): ReadonlyMap<string, RepeatableMethod<Transaction>>;
  /** Resolves with true if the processor has answered the call. */
  hasResult(scope: Scope): Promise<boolean>;
  /** See `endAsNotExecuted`. */
  endAsNotExecuted(
    scope: Scope,
    reopenWithin: (transaction: Transaction) => Promise<boolean>,
  ): Promise<boolean>;
}

/**
 * Makes the operator the owner of the record, under a token of its own, and
 * then ends it as any owner would. Behind a payment's key there is more than
 * the record: with an outcome its operation runs again with the operator in the
 * place of the processor, and without one it ends with the record.
 */
export function createResolver<Transaction>({
  store,
  executor,
  payments,
  defaults,
}: ResolverOptions<Transaction>): ResolveHeld {
  const approved = payments.methods({ kind: "approved" });
  const declined = payments.methods({ kind: "declined", declineCode: "operator" });

  async function finishPayment(
    { claim, request }: TakenOver,
    method: RepeatableMethod<Transaction>,
  ): Promise<Resolved> {
    const reply = await executor.resume({
      claim,
      policy: method.policy,
      run: (execution) => method.run(request, execution),
      isUnbounded: true,
    });
    // A reply can be a final error as well as a refusal: only the record tells.
    const record = (await store.get(claim.scope))?.record;
    return record?.state === "completed" && record.fencingToken === claim.fencingToken
      ? RESOLVED
      : { kind: "failed", message: record?.unknownReason ?? reply.message };
  }

  /** Ends the operation behind the key, unless the processor's answer is there already. */
  async function resolvePayment(
    taken: TakenOver,
    method: RepeatableMethod<Transaction>,
    resolution: Resolution,
  ): Promise<Resolved> {
    const { claim } = taken;
    if (await payments.hasResult(claim.scope)) {
      await finishPayment(taken, method);
      return { kind: "failed", message: "the processor has answered: the key has its answer" };
    }
    if (resolution.kind === "outcome") {
      const isApproval = resolution.outcome.code === Code.OK;
      return finishPayment(taken, isApproval ? insisting(method) : method);
    }
    const isEnded = await payments.endAsNotExecuted(claim.scope, (transaction) =>
      store.reopenWithin(transaction, claim),
    );
    return isEnded ? RESOLVED : OWNED_BY_ANOTHER;
  }

  async function resolveRecord({ claim }: TakenOver, resolution: Resolution): Promise<Resolved> {
    const isWritten =
      resolution.kind === "not_executed"
        ? await store.reopen(claim)
        : await store.complete(claim, resolution.outcome, defaults.retentionMs);
    return isWritten ? RESOLVED : OWNED_BY_ANOTHER;
  }

  return async (scope, { fencingToken, reason, resolution }) => {
    const isApproval = resolution.kind === "outcome" && resolution.outcome.code === Code.OK;
    const method = (isApproval ? approved : declined).get(scope.operation);
    if (method !== undefined && isApproval && resolution.outcome.body.length > 0) {
      return { kind: "invalid", message: "must be empty: payments make their answer themselves" };
    }
    const { leaseMs } = defaults;
    const taken = await store.reclaim(scope, { fencingToken, reason, leaseMs });
    if (taken === undefined) {
      return { kind: "changed" };
    }
    return method === undefined
      ? resolveRecord(taken, resolution)
      : resolvePayment(taken, method, resolution);
  };
}

/**
 * The method of an operation that was executed, as is known. Where it may not
 * even begin, the database lacks what the processor had done before: no refusal
 * is its answer then, and since nothing may be sent for it, it stays held.
 */
function insisting<Transaction>({
  policy,
  run,
}: RepeatableMethod<Transaction>): RepeatableMethod<Transaction> {
  return {
    policy,
    async run(request, execution) {
      try {
        return await run(request, execution);
      } catch (error) {
        throw error instanceof CallError
          ? new Parked(`what is said to be executed cannot have begun: ${error.message}`)
          : error;
      }
    },
  };
}

const RESOLVED: Resolved = { kind: "resolved" };
const OWNED_BY_ANOTHER: Resolved = { kind: "failed", message: "another attempt has taken over" };

/** The payments of a database. */
export function heldPayments(
  { pool, owners }: Pick<Dependencies, "pool" | "owners">,
  defaults: PolicyDefaults,
): HeldPayments<PoolClient> {
  return {
    methods(decision) {
      const handlers = createPaymentHandlers({
        pool,
        owners,
        processor: createDecidedProcessor(decision),
        // Nothing is sent, so no time is too late for it.
        keyWindow: createKeyWindow({ windowMs: Number.POSITIVE_INFINITY, longestCallMs: 0 }),
      });
      return repeatableMethods(PaymentService, handlers, defaults);
    },
    hasResult: (scope) => hasResult(pool, scope),
    endAsNotExecuted: (scope, reopenWithin) => endAsNotExecuted(pool, { scope, reopenWithin }),
  };
}
