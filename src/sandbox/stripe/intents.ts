import type { StripeFields } from "../../gen/payonce/sandbox/v1/sandbox_pb.js";
import type { History } from "../journal.js";
import { requestOf, type Verdict } from "../verdict.js";
import { applyVerdict, type Intent, intentFromRequest, type Refund } from "./intent.js";

/** What a verdict was answered with: the objects as they were then. */
export interface Answer {
  readonly intent: Intent;
  /** Of a refund that was approved. */
  readonly refund?: Refund | undefined;
  readonly declineCode?: string | undefined;
  readonly fingerprint: Uint8Array;
}

/** The PaymentIntents and refunds that the journal's verdicts amount to. */
export interface Intents {
  find(id: string): Intent | undefined;
  /** Keeps an intent that no effect tells of. */
  put(intent: Intent): void;
  /** Applies a verdict. Undefined for one of the other face. */
  apply(verdict: Verdict): Answer | undefined;
  /** The answer of a verdict that was applied. */
  answerOf(verdict: Verdict): Answer | undefined;
  /** From the newest to the oldest. */
  newestFirst(): Iterable<Intent>;
  /** From the newest to the oldest, each with its intent. */
  refundsNewestFirst(): Iterable<RefundOfIntent>;
  findRefund(id: string): RefundOfIntent | undefined;
}

export interface RefundOfIntent {
  readonly refund: Refund;
  readonly intent: Intent;
}

export interface IntentsOptions {
  readonly history: History;
  /** Intents that no effect told of. */
  readonly waiting: readonly Intent[];
}

export function createIntents({ history, waiting }: IntentsOptions): Intents {
  const byId = new Map<string, Intent>();
  /** In the order of their creation. */
  let ids: string[] = [];
  const intentIdByRefund = new Map<string, string>();
  // Keyed by the objects that the processor keeps: a key that it forgets takes its answer along.
  const answers = new WeakMap<object, Answer>();

  function put(intent: Intent): void {
    if (!byId.has(intent.id)) {
      ids.push(intent.id);
    }
    byId.set(intent.id, intent);
  }

  function apply(verdict: Verdict): Answer | undefined {
    const request = requestOf(verdict);
    const fields = request.stripe;
    if (fields === undefined) {
      return undefined;
    }
    const before = byId.get(fields.paymentIntent) ?? intentFromRequest(request, fields);
    const intent = applyVerdict(before, verdict, fields);
    put(intent);
    const answer = toAnswer(intent, verdict, fields);
    if (answer.refund !== undefined) {
      intentIdByRefund.set(answer.refund.id, intent.id);
    }
    answers.set(identityOf(verdict), answer);
    return answer;
  }

  function findRefund(id: string): RefundOfIntent | undefined {
    const intent = byId.get(intentIdByRefund.get(id) ?? "");
    const refund = intent?.refunds.find((each) => each.id === id);
    return intent && refund && { intent, refund };
  }

  for (const intent of waiting) {
    put(intent);
  }
  for (const verdict of verdictsOf(history)) {
    apply(verdict);
  }
  const createTimeMs = (id: string) => byId.get(id)?.createTimeMs ?? 0;
  ids = ids.sort((one, other) => createTimeMs(one) - createTimeMs(other));

  return {
    find: (id) => byId.get(id),
    put,
    apply,
    answerOf: (verdict) => answers.get(identityOf(verdict)),
    *newestFirst() {
      for (let index = ids.length - 1; index >= 0; index -= 1) {
        const intent = byId.get(ids[index] ?? "");
        if (intent !== undefined) {
          yield intent;
        }
      }
    },
    *refundsNewestFirst() {
      const refundIds = [...intentIdByRefund.keys()];
      for (let index = refundIds.length - 1; index >= 0; index -= 1) {
        const found = findRefund(refundIds[index] ?? "");
        if (found !== undefined) {
          yield found;
        }
      }
    },
    findRefund,
  };
}

/** All verdicts in the order in which they were brought about. */
function* verdictsOf({ effects, declines }: History): Iterable<Verdict> {
  let next = 0;
  const declinesBefore = function* (sequence: bigint): Iterable<Verdict> {
    for (let decline = declines[next]; decline !== undefined; decline = declines[next]) {
      if (decline.afterSequence >= sequence) {
        return;
      }
      next += 1;
      yield { kind: "declined", decline };
    }
  };
  for (const effect of effects) {
    yield* declinesBefore(effect.sequence);
    yield { kind: "approved", effect };
  }
  yield* declinesBefore(BigInt(effects.length + 1));
}

function toAnswer(intent: Intent, verdict: Verdict, fields: StripeFields): Answer {
  return {
    intent,
    refund: intent.refunds.find(({ id }) => id === fields.refund),
    declineCode: verdict.kind === "declined" ? verdict.decline.declineCode : undefined,
    fingerprint: fields.fingerprint,
  };
}

function identityOf(verdict: Verdict): object {
  return verdict.kind === "approved" ? verdict.effect : verdict.decline;
}
