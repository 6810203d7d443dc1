import type { Clock } from "../../idempotency/clock.js";
import type { HeldLock } from "./locks.js";
import type { NodeBatches } from "./node-batches.js";
import { createTally, isStillHeld, judge, type Verdict } from "./quorum.js";
import { copyIn, count, GRANTED } from "./replies.js";
import type { Lock } from "./script.js";

/** The replies of all nodes to a claim, as one result. */
export type LockReply<Answer, Held = HeldLock> =
  /** One node holds a copy that proves itself. */
  | { readonly kind: "hit"; readonly answer: Answer }
  | { readonly kind: "granted"; readonly lock: Held }
  | { readonly kind: Exclude<Verdict, "granted"> };

/** A lock as it is asked for. */
export interface WantedLock extends Lock {
  /** True while we want the lock. A node may give it long after that. */
  isWanted: boolean;
}

export interface LockRequest<Answer> {
  readonly lockName: string;
  readonly copyName: string;
  /** The request, in a form that its duplicates have in common. */
  readonly request: string;
  readonly ttlMs: number;
  /** The answer in a copy, if it proves itself. */
  readonly verify: (copy: Uint8Array) => Answer | undefined;
  /** Called once, when the request leaves. */
  readonly onSent: () => void;
}

/**
 * Asks all nodes for a copy of the answer, else for the lock, else for its
 * holder. A copy beats everything; the rest is decided as soon as the replies
 * allow. A lock granted by a minority, or too late, is given back.
 */
export function requestLock<Answer, Held extends WantedLock>(
  lock: Held,
  asked: Omit<LockRequest<Answer>, "lockName">,
  on: { readonly nodeCount: number; readonly batches: NodeBatches; readonly clock: Clock },
): Promise<LockReply<Answer, Held>> {
  const { copyName, request, ttlMs } = asked;
  const { batches, clock } = on;
  const tally = createTally(on.nodeCount);
  let sentAtMs = 0;
  let isDecided = false;

  return new Promise((resolve) => {
    const decide = (reply: LockReply<Answer, Held>) => {
      isDecided = true;
      if (reply.kind !== "granted") {
        lock.isWanted = false;
        if (tally.granted > 0) {
          batches.add({ kind: "release", lock });
        }
      }
      resolve(reply);
    };
    batches.add({
      kind: "claim",
      lock,
      copyName,
      ttlMs,
      onSent(atMs) {
        sentAtMs = atMs;
        asked.onSent();
      },
      onReply(reply) {
        if (isDecided) {
          if (reply === GRANTED && !lock.isWanted) {
            batches.add({ kind: "release", lock });
          }
          return;
        }
        count(tally, reply, request);
        const copy = copyIn(reply);
        const answer = copy && asked.verify(copy);
        if (answer !== undefined) {
          decide({ kind: "hit", answer });
        }
      },
      onMajority() {
        const verdict = isDecided ? undefined : judge(tally);
        if (verdict === "granted") {
          const isHeld = isStillHeld({ sentAtMs, ttlMs, nowMs: clock.nowMs() });
          decide(isHeld ? { kind: "granted", lock } : { kind: "undecided" });
        } else if (verdict !== undefined) {
          decide({ kind: verdict });
        }
      },
    });
  });
}
