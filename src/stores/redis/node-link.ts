import type { Redis } from "ioredis";
import type { Clock } from "../../idempotency/clock.js";
import { type EncodedBatch, gateScript } from "./script.js";

/**
 * The longest time for which one node may take. A node that is slower counts as silent: the
 * store of record answers sooner. Milliseconds.
 */
export const NODE_TIMEOUT_MS = 250;

/** Batches on their way to one node. One that lags so far behind is left out for a while. */
const MAX_BATCHES_PER_NODE = 16;

/** The way to one node. */
export interface NodeLink {
  /**
   * Sends a batch after all those before and calls back with its replies by
   * position, or with undefined if there are none: at once where the node owes
   * replies to too many batches, or to one for too long. What it says after
   * the timeout still comes, late.
   */
  ask(batch: EncodedBatch, onReplies: (replies: readonly unknown[] | undefined) => void): void;
}

export function createNodeLink(node: Redis, clock: Clock): NodeLink {
  /** The times at which the batches without a reply were sent, the oldest first. */
  const sentAtMs: number[] = [];

  function lagsBehind(): boolean {
    const [oldestMs = Number.POSITIVE_INFINITY] = sentAtMs;
    return sentAtMs.length >= MAX_BATCHES_PER_NODE || clock.nowMs() - oldestMs >= NODE_TIMEOUT_MS;
  }

  return {
    ask(batch, onReplies) {
      if (lagsBehind()) {
        onReplies(undefined);
        return;
      }
      const end = (replies: unknown) => {
        sentAtMs.shift();
        onReplies(Array.isArray(replies) ? replies : undefined);
      };
      sentAtMs.push(clock.nowMs());
      evaluate(node, batch).then(end, () => end(undefined));
    },
  };
}

/** Runs the script by its name; a node that has never seen it, or has restarted, gets the text. */
function evaluate(node: Redis, { nameCount, values }: EncodedBatch): Promise<unknown> {
  const { sha1, text } = gateScript;
  return node.callBuffer("evalsha", [sha1, nameCount, ...values]).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith("NOSCRIPT")) {
      return node.callBuffer("eval", [text, nameCount, ...values]);
    }
    throw error;
  });
}
