import type { Pool, PoolClient } from "pg";
import { PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import type { Execution } from "../idempotency/call.js";
import { Code } from "../idempotency/code.js";
import { NotExecuted } from "../idempotency/errors.js";
import type { Executor } from "../idempotency/executor.js";
import { type RepeatableMethod, repeatableMethods } from "../idempotency/methods.js";
import type { Outcome } from "../idempotency/outcome.js";
import type { PolicyDefaults } from "../idempotency/policy.js";
import type { Scope } from "../idempotency/scope.js";
import type { IdempotencyStore, TakenOver } from "../idempotency/store.js";
import { restartWindow } from "../payments/perform.js";
import type { ProcessorDecision } from "../payments/processor.js";
import { createDecidedProcessor } from "../payments/processors/decided.js";
import { createPaymentHandlers } from "../payments/service.js";

/** What an operator found out about a held key. */
export type Resolution =
  | { readonly kind: "not_executed" }
  | { readonly kind: "outcome"; readonly outcome: Outcome };

/** Ends a held key. Resolves with false if the record is not held under this token any more. */
export type ResolveHeld = (
  scope: Scope,
  held: {
    readonly fencingToken: bigint;
    readonly reason: string;
    readonly resolution: Resolution;
  },
) => Promise<boolean>;

export interface ResolverOptions {
  readonly store: IdempotencyStore<PoolClient>;
  readonly executor: Executor<PoolClient>;
  readonly pool: Pool;
  readonly defaults: PolicyDefaults;
}

/**
 * Makes the operator the owner of the record, under a token of its own, and
 * then ends it as any owner would. Behind a payment's key there is more than
 * the record, so its operation runs again with the operator in the place of
 * the processor.
 */
export function createResolver(options: ResolverOptions): ResolveHeld {
  const { store, executor, pool, defaults } = options;
  const approved = paymentMethods(options, { kind: "approved" });
  const declined = paymentMethods(options, { kind: "declined", declineCode: "operator" });

  async function resolvePayment(
    { claim, request }: TakenOver,
    resolution: Resolution,
  ): Promise<void> {
    const isSuccess = resolution.kind === "outcome" && resolution.outcome.code === Code.OK;
    const method = (isSuccess ? approved : declined).get(claim.scope.operation);
    if (method !== undefined) {
      const run =
        resolution.kind === "not_executed"
          ? (execution: Execution<PoolClient>) => forget(pool, execution)
          : (execution: Execution<PoolClient>) => method.run(request, execution);
      await executor.resume({ claim, policy: method.policy, run });
    }
  }

  return async (scope, { fencingToken, reason, resolution }) => {
    const { leaseMs, retentionMs } = defaults;
    const taken = await store.reclaim(scope, { fencingToken, reason, leaseMs });
    if (taken === undefined) {
      return false;
    }
    if (approved.has(scope.operation)) {
      await resolvePayment(taken, resolution);
    } else if (resolution.kind === "not_executed") {
      await store.release(taken.claim);
    } else {
      await store.complete(taken.claim, resolution.outcome, retentionMs);
    }
    return true;
  };
}

/** The payment service's methods, with a decision that is known already. */
function paymentMethods(
  { pool, defaults }: ResolverOptions,
  decision: ProcessorDecision,
): ReadonlyMap<string, RepeatableMethod<PoolClient>> {
  const handlers = createPaymentHandlers({
    pool,
    processor: createDecidedProcessor(decision),
    keyWindowMs: Number.POSITIVE_INFINITY, // nothing is sent
  });
  return repeatableMethods(PaymentService, handlers, defaults);
}

async function forget(pool: Pool, execution: Execution<PoolClient>): Promise<never> {
  await restartWindow(pool, execution);
  throw new NotExecuted({
    code: Code.ABORTED,
    reason: "NOT_EXECUTED",
    message: "an operator found that the call had no effect",
    next: "retry_same_key",
  });
}
