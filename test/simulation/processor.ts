import type { Scope } from "../../src/idempotency/scope.js";
import type { Claim } from "../../src/idempotency/store.js";
import { nameOf } from "./calls.js";
import type { Random } from "./random.js";
import type { Scheduler } from "./scheduler.js";

export interface Charge {
  readonly processorKey: string;
  /** The same key with another one is refused. */
  readonly request: string;
  /** How long its key is remembered. Milliseconds. */
  readonly memoryMs: number;
  /** Whose attempt sends it. The processor makes nothing of it; the checks do. */
  readonly claim: Pick<Claim, "scope" | "fencingToken" | "attempt">;
}

export type Decision = "approved" | "declined";

/** An effect in the processor's journal. */
export interface Effect extends Charge {
  readonly atMs: number;
}

const BEHAVIOURS = [
  "answers",
  "charges and drops the reply",
  "charges and answers an error",
  "refuses without a charge",
  "charges later than anybody waits",
  "never answers",
] as const;

const DECLINE_RATE = 0.15;
const LATER_MS = { least: 2_000, most: 15_000 };

/** How long it remembers a key. Milliseconds. */
export const KEY_MEMORY_MS = 150_000;

/**
 * So long after its beginning an operation may be sent: what a pause, the
 * slowest message and the processor's own delay take still fits in. Milliseconds.
 */
export const KEY_WINDOW_MS = 90_000;

/** A card processor that honours keys, and otherwise behaves as badly as it can. */
export interface Processor {
  charge(charge: Charge): Promise<Decision>;
  /** How many calls it does not simply answer. */
  setMischief(rate: number): void;
  journal(): readonly Effect[];
  /** What it has last decided under any key of this scope, if it was asked at all. */
  lookUp(scope: Scope): Decision | undefined;
}

export function createProcessor(options: {
  readonly scheduler: Scheduler;
  readonly random: Random;
}): Processor {
  const { scheduler, random } = options;
  const decisions = new Map<
    string,
    { readonly decision: Decision; readonly request: string; readonly atMs: number }
  >();
  const journal: Effect[] = [];
  const lastDecisions = new Map<string, Decision>();
  let mischief = 0;

  function decide(charge: Charge): Decision {
    const { processorKey, request, memoryMs } = charge;
    const atMs = scheduler.nowMs();
    const known = decisions.get(processorKey);
    if (known !== undefined && atMs - known.atMs <= memoryMs) {
      if (known.request !== request) {
        throw new Error("the processor knows this key with another request");
      }
      return known.decision;
    }
    const decision = random.chance(DECLINE_RATE) ? "declined" : "approved";
    decisions.set(processorKey, { decision, request, atMs });
    lastDecisions.set(nameOf(charge.claim.scope), decision);
    if (decision === "approved") {
      journal.push({ ...charge, atMs });
    }
    return decision;
  }

  return {
    async charge(charge) {
      switch (random.chance(mischief) ? random.pick(BEHAVIOURS) : "answers") {
        case "answers":
          return decide(charge);
        case "charges and drops the reply":
          decide(charge);
          return never();
        case "charges and answers an error":
          decide(charge);
          throw new Error("the processor failed");
        case "refuses without a charge":
          throw new Error("the processor is overloaded");
        case "charges later than anybody waits":
          await new Promise<void>((resolve) =>
            scheduler.after(random.integer(LATER_MS.least, LATER_MS.most), resolve),
          );
          return decide(charge);
        case "never answers":
          return never();
      }
    },
    setMischief(rate) {
      mischief = rate;
    },
    journal: () => journal,
    lookUp: (scope) => lastDecisions.get(nameOf(scope)),
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
