import { EffectType } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../src/idempotency/answers/code.js";
import { CallError, Final, NotExecuted, Parked } from "../../src/idempotency/answers/errors.js";
import type { Execution } from "../../src/idempotency/execution/call.js";
import { type Outcome, okOutcome } from "../../src/idempotency/port/outcome.js";
import type { ProcessorDecision } from "../../src/payments/processor.js";
import { FINAL_REASON, NOT_EXECUTED_REASON } from "./answers.js";
import { nameOf } from "./calls.js";
import type { Transaction } from "./database.js";
import { describe, type HandlerDependencies, processorKeyOf } from "./handlers.js";
import { validate } from "./requests.js";

const REFUSALS = ["refuses", "vouches that nothing happened", "fails before it acts"] as const;
const ENDINGS = [
  "answers",
  "fails for good",
  "is not found",
  "fails after it acted",
  "answers that it is unavailable",
  "hangs",
  "hangs until it is stopped",
  "parks",
] as const;

/** How many runs end before they act, of those that do not simply answer. */
const REFUSAL_RATE = 0.4;

/** How many runs never look whether they still own their claim. */
const HEEDLESS_RATE = 0.5;

const LONGEST_STEP_MS = 3_000;

/** A handler without rows of its own: acts once, and ends in any way that its contract allows. */
export async function act(
  { clock, random, mischief, charge }: HandlerDependencies,
  call: {
    readonly kind: "rerun" | "hold";
    readonly request: string;
    readonly execution: Execution<Transaction>;
  },
): Promise<Outcome> {
  const { kind, request, execution } = call;
  const wrong = validate(kind, request);
  if (wrong !== undefined) {
    throw new NotExecuted(wrong); // no attempt can have taken it for valid
  }
  const isMischievous = random.chance(mischief());
  const step = () =>
    new Promise<void>((resolve) => clock.setTimer(random.integer(0, LONGEST_STEP_MS), resolve));

  if (isMischievous && random.chance(REFUSAL_RATE)) {
    refuse(random.pick(REFUSALS), execution.attempt);
  }
  if (isMischievous) {
    await step();
  }
  if (!random.chance(HEEDLESS_RATE)) {
    execution.throwIfAborted();
  }
  const decision = await charge({
    type: EffectType.AUTHORIZE,
    processorKey: processorKeyOf(kind, execution),
    paymentId: nameOf(execution.scope),
    paymentMethod: request,
    request,
    memoryMs: Number.POSITIVE_INFINITY, // it has no row to say how old the call is
    claim: execution,
  });
  if (isMischievous) {
    await step();
  }
  return end(isMischievous ? random.pick(ENDINGS) : "answers", decision, execution);
}

function refuse(refusal: (typeof REFUSALS)[number], attempt: number): never {
  switch (refusal) {
    case "refuses": // as a build may that is stricter than the one of an earlier attempt
      throw new CallError(describe(Code.INVALID_ARGUMENT, NOT_EXECUTED_REASON));
    case "vouches that nothing happened":
      if (attempt === 1) {
        throw new NotExecuted(describe(Code.RESOURCE_EXHAUSTED, NOT_EXECUTED_REASON));
      }
      throw new Error("an earlier attempt may have acted");
    case "fails before it acts":
      throw new Error("failed before it acted");
  }
}

async function end(
  ending: (typeof ENDINGS)[number],
  decision: ProcessorDecision,
  { attempt, fencingToken, signal }: Execution<Transaction>,
): Promise<Outcome> {
  // No two attempts say the same.
  const message = `${decision.kind}, attempt ${attempt}, token ${fencingToken}`;
  switch (ending) {
    case "answers":
      return okOutcome(Buffer.from(message));
    case "fails for good":
      throw new Final({ ...describe(Code.INTERNAL, FINAL_REASON), message });
    case "is not found":
      throw new CallError({ ...describe(Code.NOT_FOUND, FINAL_REASON), message });
    case "fails after it acted":
      throw new Error("failed after it acted");
    case "answers that it is unavailable":
      throw new CallError(describe(Code.UNAVAILABLE, NOT_EXECUTED_REASON));
    case "hangs":
      return new Promise(() => {});
    case "hangs until it is stopped":
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("stopped")));
      });
    case "parks":
      throw new Parked("has to be looked into");
  }
}
