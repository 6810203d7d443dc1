import { type Effect, EffectType } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { EffectRequest } from "./effect-request.js";
import type { DecideResult, Decision, Processor } from "./processor.js";
import type { Profile } from "./profiles.js";

/** Decides calls as an acquirer with these habits does. */
export function createProfiledProcessor(
  processor: Processor,
  { keys, lookUpLagMs, capturesInParts }: Profile,
  nowMs: () => number,
): Processor {
  const decidedAtMs = new Map<string, number>();
  /** The newest effect of each payment. */
  const newest = new Map<string, Effect>();
  const captured = new Set<string>();

  function see(effect: Effect): void {
    newest.set(effect.paymentId, effect);
    if (effect.type === EffectType.CAPTURE) {
      captured.add(effect.paymentId);
    }
  }
  for (const effect of processor.listEffects(0n, Number.POSITIVE_INFINITY)) {
    see(effect);
  }

  function hasAnswer(processorKey: string): boolean {
    const verdict = processor.find(processorKey)?.verdict;
    return (
      keys !== undefined &&
      verdict !== undefined &&
      (verdict.kind === "approved" || keys.keepsErrors !== "none")
    );
  }

  /** The reason for a decline that the habits give. */
  function declineOf({ type, paymentId }: EffectRequest): string | undefined {
    return !capturesInParts && type === EffectType.CAPTURE && captured.has(paymentId)
      ? "already_captured"
      : undefined;
  }

  function repeated(decision: Decision): DecideResult {
    return { kind: "decided", decision: asTold(decision), isFirst: false };
  }

  function asTold(decision: Decision): Decision {
    const { verdict, durable } = decision;
    if (keys?.repetition !== "present_state" || verdict.kind === "declined") {
      return decision;
    }
    const { type, amount } = newest.get(verdict.effect.paymentId) ?? verdict.effect;
    const effect: Effect = { ...verdict.effect, type };
    return {
      verdict: { kind: "approved", effect: amount ? { ...effect, amount } : effect },
      durable,
    };
  }

  return {
    ...processor,
    hasAnswer,
    decide(request, forcedDecline) {
      const { processorKey } = request;
      if (!hasAnswer(processorKey)) {
        processor.forget(processorKey);
      }
      const result = processor.decide(request, forcedDecline ?? declineOf(request));
      if (result.kind === "key_reused" && keys?.otherRequest === "first_answer") {
        const decision = processor.find(processorKey);
        return decision === undefined ? result : repeated(decision);
      }
      if (result.kind !== "decided") {
        return result;
      }
      if (!result.isFirst) {
        return repeated(result.decision);
      }
      decidedAtMs.set(processorKey, nowMs());
      if (result.decision.verdict.kind === "approved") {
        see(result.decision.verdict.effect);
      }
      return result;
    },
    find(processorKey) {
      const isVisible = nowMs() - (decidedAtMs.get(processorKey) ?? 0) >= lookUpLagMs;
      return isVisible ? processor.find(processorKey) : undefined;
    },
  };
}
