import { Code } from "../../src/idempotency/code.js";
import { errorOutcome } from "../../src/idempotency/errors.js";
import { type Outcome, okOutcome } from "../../src/idempotency/outcome.js";
import type { Scope } from "../../src/idempotency/scope.js";
import { type Answer, FINAL_REASON } from "./answers.js";
import { LEASE_MS, nameOf } from "./calls.js";
import { type HistoryEntry, runClient } from "./clients.js";
import type { World } from "./world.js";

/** How often a probe asks: a lock in a Redis node whose clock went back lives a minute longer. */
const PROBE_CALLS = 60;

const PROBE_DEADLINE_MS = 15_000;

const LOOK_INTERVAL_MS = 100;

/**
 * What people do once it is quiet: an operator ends the keys that are held, and
 * every key is asked for once more, from several clients and with both requests.
 */
export async function lookAfterwards(
  world: World,
  scopes: readonly Scope[],
  history: HistoryEntry[],
): Promise<void> {
  for (const scope of scopes) {
    await endHeld(world, scope);
  }
  for (const scope of scopes) {
    await probe(world, scope, history);
  }
}

async function endHeld(
  { database, processor, observer, trace, plan }: World,
  scope: Scope,
): Promise<void> {
  const { store } = database;
  const found = await store.get(scope);
  if (found?.record.state !== "held") {
    return;
  }
  trace.add(
    `an operator ends ${nameOf(scope)}, held: ${found.record.unknownReason}`,
    nameOf(scope),
  );
  const { fencingToken } = found.record;
  const held = { fencingToken, reason: "seen in the journal", leaseMs: LEASE_MS };
  const claim = (await store.reclaim(scope, held))?.claim;
  const decision = processor.lookUp(scope);
  // A payment has begun, so its key is never free again.
  const isFree = decision === undefined && scope.operation !== "payment";
  const outcome = decision === "approved" ? approvedByHand() : failedByHand();
  const hasEnded =
    claim !== undefined &&
    (await (isFree
      ? store.release(claim)
      : store.complete(claim, outcome, plan.times.retentionMs)));
  if (!hasEnded) {
    observer.report("wedged", scope, "it is held, and its operator cannot end it");
  }
}

function approvedByHand(): Outcome {
  return okOutcome(Buffer.from("approved, by hand"));
}

function failedByHand(): Outcome {
  return errorOutcome({
    code: Code.ABORTED,
    reason: FINAL_REASON,
    message: "declined, by hand",
    next: "fix_request",
  });
}

async function probe(world: World, scope: Scope, history: HistoryEntry[]): Promise<void> {
  const { scheduler, network, random, serviceAt, plan, observer } = world;
  for (const request of ["request", "changed", "request"]) {
    let result: { readonly answer: Answer | undefined } | undefined;
    void runClient(
      { scheduler, network, random, serviceAt, places: plan.processes, history },
      {
        name: `probe-${scope.key}`,
        scope,
        request,
        startAtMs: 0,
        calls: PROBE_CALLS,
        deadlineMs: PROBE_DEADLINE_MS,
      },
    ).then((answer) => {
      result = { answer };
    });
    const untilMs = scheduler.nowMs() + PROBE_CALLS * PROBE_DEADLINE_MS;
    while (result === undefined && scheduler.nowMs() < untilMs) {
      await scheduler.runUntil(scheduler.nowMs() + LOOK_INTERVAL_MS);
    }
    if (result?.answer === undefined) {
      observer.report("wedged", scope, "there is no answer long after the faults");
    }
  }
}
