import type { Scope } from "../../src/idempotency/port/scope.js";
import type { Claim } from "../../src/idempotency/port/store.js";
import {
  type ProcessorDecision,
  type ProcessorEffect,
  ProcessorRefused,
} from "../../src/payments/processor.js";
import { type Account, applyEffect, findDecline } from "../../src/sandbox/account.js";
import { type EffectRequest, sameParameters } from "../../src/sandbox/effect-request.js";
import type { Random } from "../support/random.js";
import { isOperation, kindOf, nameOf } from "./calls.js";
import { SLOWEST_MESSAGE_MS } from "./network.js";
import type { Scheduler } from "./scheduler.js";

/** One call, and who sends it. */
export interface Charge extends EffectRequest {
  /** How long its key is remembered, from its first use on. Milliseconds. */
  readonly memoryMs: number;
  /** Whose attempt sends it, and what it was asked for. The processor makes nothing of it; the checks do. */
  readonly claim: Pick<Claim, "scope" | "fencingToken" | "attempt" | "fingerprint">;
  readonly request: string;
}

/** An effect in the processor's journal. */
export interface Effect extends Charge {
  /** How often the database had been restored by then, for the checks. */
  readonly generation: number;
}

const BEHAVIOURS = [
  "charges and drops the reply",
  "charges and answers an error",
  "refuses without a charge",
  "charges later than anybody waits",
  "never answers",
] as const;

const DECLINE_RATE = 0.15;

/** How many keys it can make no sense of, of those in trouble. */
const INVALID_RATE = 0.1;

const LATER_MS = { least: 2_000, most: 15_000 };

/** How many of those that come late come as late as they can. */
const LATEST_RATE = 0.5;

/** No call takes effect later than this after it was sent. Milliseconds. */
export const LONGEST_CALL_MS = SLOWEST_MESSAGE_MS + LATER_MS.most;

/** What is known of a call, for good, by whoever looks into the processor itself. */
export type Fate = "approved" | "declined" | "invalid" | "nothing";

/** A card processor that honours keys, and otherwise behaves as badly as it can. */
export interface Processor {
  charge(charge: Charge): Promise<ProcessorDecision>;
  lookUp(processorKey: string): Promise<ProcessorEffect | undefined>;
  /** How many calls it does not simply answer. */
  setMischief(rate: number): void;
  journal(): readonly Effect[];
  /** What became of the calls of this scope, under whatever key. */
  fateOf(scope: Scope): Fate;
}

interface Known {
  readonly decision: ProcessorDecision;
  readonly charge: Charge;
  readonly atMs: number;
}

export interface ProcessorOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Whether it declines what the payment's earlier effects do not allow. */
  readonly isStrict: boolean;
  readonly generation: () => number;
}

export function createProcessor({
  scheduler,
  random,
  isStrict,
  generation,
}: ProcessorOptions): Processor {
  const known = new Map<string, Known>();
  const invalid = new Set<string>();
  const accounts = new Map<string, Account>();
  const journal: Effect[] = [];
  const fates = new Map<string, Fate>();
  let mischief = 0;

  function find(processorKey: string): Known | undefined {
    const found = known.get(processorKey);
    return found !== undefined && scheduler.nowMs() - found.atMs <= found.charge.memoryMs
      ? found
      : undefined;
  }

  function decide(charge: Charge): ProcessorDecision {
    const { processorKey, paymentId, claim } = charge;
    const name = nameOf(claim.scope);
    const earlier = find(processorKey);
    if (earlier !== undefined) {
      if (!sameParameters(earlier.charge, charge)) {
        throw new ProcessorRefused("key_reused", "other parameters");
      }
      return earlier.decision;
    }
    const mayBeInvalid = isOperation(kindOf(claim.scope)); // others cannot be told so
    if (invalid.has(processorKey) || (mayBeInvalid && random.chance(mischief * INVALID_RATE))) {
      invalid.add(processorKey);
      fates.set(name, "invalid");
      throw new ProcessorRefused("invalid", "it makes no sense");
    }
    const account = accounts.get(paymentId);
    const declineCode = random.chance(DECLINE_RATE)
      ? "simulated"
      : isStrict && findDecline(account, charge);
    const decision: ProcessorDecision = declineCode
      ? { kind: "declined", declineCode }
      : { kind: "approved" };
    known.set(processorKey, { decision, charge, atMs: scheduler.nowMs() });
    fates.set(name, decision.kind);
    if (decision.kind === "approved") {
      accounts.set(paymentId, applyEffect(account, charge));
      journal.push({ ...charge, generation: generation() });
    }
    return decision;
  }

  function laterMs(): number {
    const { least, most } = LATER_MS;
    return random.chance(LATEST_RATE) ? most : random.integer(least, most);
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
          await new Promise<void>((resolve) => scheduler.after(laterMs(), resolve));
          return decide(charge);
        case "never answers":
          return never();
      }
    },
    async lookUp(processorKey) {
      if (random.chance(mischief)) {
        throw new Error("the processor is overloaded");
      }
      const found = find(processorKey);
      if (found === undefined) {
        return undefined;
      }
      const { decision, charge } = found;
      return charge.amount === undefined ? { decision } : { decision, amount: charge.amount };
    },
    setMischief(rate) {
      mischief = rate;
    },
    journal: () => journal,
    fateOf: (scope) => fates.get(nameOf(scope)) ?? "nothing",
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
