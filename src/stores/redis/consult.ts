import type { Redis } from "ioredis";
import type Redlock from "redlock";
import type { Lock } from "redlock";

/** What the nodes say about a key, taken together. */
export type Verdict<Answer> =
  /** One node holds a copy that proves itself. */
  | { readonly kind: "hit"; readonly answer: Answer }
  /** A majority names one owner, with the same fingerprint. */
  | { readonly kind: "held" }
  /** The lock is ours. */
  | { readonly kind: "granted"; readonly lock: Lock }
  /** The nodes are split, or the holder has another request. */
  | { readonly kind: "undecided" }
  /** Fewer than a majority answered. */
  | { readonly kind: "no_quorum" };

export interface ConsultOptions<Answer> {
  readonly nodes: readonly Redis[];
  readonly redlock: Redlock;
  readonly resources: string[];
  /** The owner's second lock, whose name only calls with the same fingerprint know. */
  readonly holderKey: string;
  readonly copyKey: string;
  readonly lockDurationMs: number;
  readonly verify: (copy: Uint8Array) => Answer | undefined;
}

/**
 * Asks all nodes in one tick for a copy of the answer, for the lock's holder
 * and for the lock, and decides as soon as their replies allow. A lock granted
 * after that is given back.
 */
export function consult<Answer>(options: ConsultOptions<Answer>): Promise<Verdict<Answer>> {
  const { nodes, redlock, resources, holderKey, copyKey, lockDurationMs, verify } = options;
  const majority = Math.floor(nodes.length / 2) + 1;
  const holders = new Map<string, number>();
  let unheard = nodes.length;
  let silent = 0;

  return new Promise((resolve) => {
    let decided = false;
    let refused = false;
    const decide = (verdict: Verdict<Answer>) => {
      decided = true;
      resolve(verdict);
    };
    /** Decides against the lock once no reply can change that; waiting for a dead node would. */
    const conclude = () => {
      const canBeHeld = Math.max(0, ...holders.values()) + unheard >= majority;
      if (silent >= majority) {
        decide({ kind: "no_quorum" });
      } else if (refused && !canBeHeld) {
        decide({ kind: "undecided" });
      }
    };

    // Asked before the lock, so that they see who held it before us.
    for (const node of nodes) {
      Promise.all([node.getBuffer(copyKey), node.get(holderKey)]).then(
        ([copy, holder]) => {
          unheard -= 1;
          const answer = copy === null ? undefined : verify(copy);
          if (answer !== undefined) {
            decide({ kind: "hit", answer });
          } else if (holder !== null) {
            const votes = (holders.get(holder) ?? 0) + 1;
            holders.set(holder, votes);
            if (votes >= majority) {
              decide({ kind: "held" });
            }
          }
          conclude();
        },
        () => {
          unheard -= 1;
          silent += 1;
          conclude();
        },
      );
    }

    redlock.acquire(resources, lockDurationMs).then(
      (lock) => {
        if (decided) {
          release(lock);
        } else {
          decide({ kind: "granted", lock });
        }
      },
      () => {
        refused = true;
        conclude();
      },
    );
  });
}

/** Gives a lock back. What fails expires by itself. */
export function release(lock: Lock): Promise<void> {
  return lock.release().then(
    () => {},
    () => {},
  );
}
