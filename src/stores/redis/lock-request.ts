import type { Clock } from "../../idempotency/clock.js";
import type { KeptLock } from "./executing-locks.js";
import type { NodeBatches } from "./node-batches.js";
import {
  countGrant,
  countHolder,
  countRefusal,
  countSilence,
  createTally,
  isStillHeld,
  judge,
  type Tally,
  type Verdict,
} from "./quorum.js";
import { executing, lockValue } from "./script.js";

/** The replies of all nodes to a claim, as one result. */
export type LockReply<Answer> =
  /** One node holds a copy that proves itself. */
  | { readonly kind: "hit"; readonly answer: Answer }
  | { readonly kind: "granted"; readonly lock: OwnedLock }
  | { readonly kind: Exclude<Verdict, "granted"> };

/** A lock that a majority gave us. */
export interface OwnedLock extends KeptLock {
  /** Whether we want it still. A node may give it long after that. */
  isWanted: boolean;
}

export interface LockRequest<Answer> {
  readonly lockName: string;
  readonly copyName: string;
  /** The request, in a form that its duplicates have in common. */
  readonly request: string;
  /** Unique to this claim. */
  readonly token: string;
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
export function requestLock<Answer>(
  asked: LockRequest<Answer>,
  on: { readonly nodeCount: number; readonly batches: NodeBatches; readonly clock: Clock },
): Promise<LockReply<Answer>> {
  const { lockName, copyName, request, token, ttlMs } = asked;
  const { batches, clock } = on;
  const lock: OwnedLock = {
    name: lockName,
    value: lockValue(token, request),
    isWanted: true,
    keptAtMs: Number.NaN,
  };
  const tally = createTally(on.nodeCount);
  let sentAtMs = 0;
  let isDecided = false;

  return new Promise((resolve) => {
    const decide = (reply: LockReply<Answer>) => {
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

// A node's reply to a claim, as the script has it.

const GRANTED = 1;

function copyIn(reply: unknown): Buffer | undefined {
  const [copy] = Array.isArray(reply) ? reply : [];
  return Buffer.isBuffer(copy) ? copy : undefined;
}

function count(tally: Tally, reply: unknown, request: string): void {
  if (reply === GRANTED) {
    countGrant(tally);
  } else if (Array.isArray(reply)) {
    countRefusal(tally);
  } else if (Buffer.isBuffer(reply)) {
    const holder = reply.toString("latin1");
    if (holder.endsWith(executing(request))) {
      countHolder(tally, holder);
    } else {
      countRefusal(tally);
    }
  } else {
    countSilence(tally);
  }
}
