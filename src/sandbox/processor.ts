import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Effect, EffectSchema } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { type Account, applyEffect, findDecline } from "./account.js";
import { type EffectRequest, sameParameters } from "./effect-request.js";
import type { History, Journal } from "./journal.js";
import { requestOf, type Verdict } from "./verdict.js";

/** The one answer of a processor key. */
export interface Decision {
  readonly verdict: Verdict;
  /** Resolves once the verdict is on disk. Until then nobody may hear of it. */
  readonly durable: Promise<void>;
}

export type DecideResult =
  /** `isFirst` for the call that brought the decision about. */
  | { readonly kind: "decided"; readonly decision: Decision; readonly isFirst: boolean }
  /** The key was decided with other parameters. */
  | { readonly kind: "key_reused" }
  /** Too many decisions wait for the disk; nothing was decided. */
  | { readonly kind: "overloaded" };

/** Decides calls. Remembers one decision per processor key and one account per payment. */
export interface Processor {
  /** Decides in one step, so that of concurrent calls with one key exactly one is the first. */
  decide(request: EffectRequest, forcedDecline: string | undefined): DecideResult;
  /** What a look-up finds. */
  find(processorKey: string): Decision | undefined;
  /** Returns true if the next call with the key gets an answer that is there already. */
  hasAnswer(processorKey: string): boolean;
  /** The next call with the key is a new one. What was journaled stays. */
  forget(processorKey: string): void;
  /** Effects that are on disk, in the order they were written. */
  listEffects(afterSequence: bigint, limit: number): readonly Effect[];
}

export interface ProcessorOptions {
  readonly journal: Journal;
  readonly history: History;
  readonly now: () => Date;
}

export function createProcessor({ journal, history, now }: ProcessorOptions): Processor {
  const decisions = new Map<string, Decision>();
  const accounts = new Map<string, Account>();
  const effects: Effect[] = [];
  let newestSequence = 0n;

  function remember(verdict: Verdict, durable: Promise<void>): Decision {
    const decision = { verdict, durable };
    decisions.set(requestOf(verdict).processorKey, decision);
    if (verdict.kind === "approved") {
      const { effect } = verdict;
      newestSequence = effect.sequence;
      const account = accountOf(effect);
      accounts.set(account, applyEffect(accounts.get(account), effect));
    }
    return decision;
  }

  function judge(request: EffectRequest, forcedDecline: string | undefined): Verdict {
    const declineCode = forcedDecline ?? findDecline(accounts.get(accountOf(request)), request);
    if (declineCode !== undefined) {
      const decline = { request, declineCode, afterSequence: newestSequence };
      return { kind: "declined", decline };
    }
    const effect = create(EffectSchema, {
      ...request,
      sequence: newestSequence + 1n,
      createTime: timestampFromDate(now()),
    });
    return { kind: "approved", effect };
  }

  async function write(verdict: Verdict): Promise<void> {
    await journal.append(verdict);
    if (verdict.kind === "approved") {
      effects.push(verdict.effect);
    }
  }

  const onDisk = Promise.resolve();
  for (const effect of history.effects) {
    remember({ kind: "approved", effect }, onDisk);
    effects.push(effect);
  }
  for (const decline of history.declines) {
    const earlier = decisions.get(decline.request.processorKey)?.verdict;
    if (earlier?.kind !== "approved" || earlier.effect.sequence <= decline.afterSequence) {
      remember({ kind: "declined", decline }, onDisk);
    }
  }

  return {
    decide(request, forcedDecline) {
      const decision = decisions.get(request.processorKey);
      if (decision !== undefined) {
        return sameParameters(requestOf(decision.verdict), request)
          ? { kind: "decided", decision, isFirst: false }
          : { kind: "key_reused" };
      }
      if (!journal.hasRoom()) {
        return { kind: "overloaded" };
      }
      const verdict = judge(request, forcedDecline);
      return { kind: "decided", decision: remember(verdict, write(verdict)), isFirst: true };
    },
    find: (processorKey) => decisions.get(processorKey),
    hasAnswer: (processorKey) => decisions.has(processorKey),
    forget(processorKey) {
      decisions.delete(processorKey);
    },
    listEffects(afterSequence, limit) {
      // The first line is number 1, so a sequence is the index of the effect after it.
      const start = Number(afterSequence);
      return effects.slice(start, start + limit);
    },
  };
}

/** Names the account of an effect: at Stripe each PaymentIntent is one, whatever payment it is for. */
function accountOf({ stripe, paymentId }: EffectRequest): string {
  return stripe?.paymentIntent ?? paymentId;
}
