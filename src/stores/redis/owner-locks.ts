import type Redlock from "redlock";
import type { Lock } from "redlock";
import type { Claim } from "../../idempotency/store.js";
import { release } from "./consult.js";

/** The locks of one owner. */
interface OwnerLocks {
  lock: Lock;
  /** Undefined where it was not granted, which only lets duplicates through. */
  holder: Promise<Lock | undefined>;
}

/**
 * The locks of the claims that this process owns: one that keeps others from
 * asking, and, once the store of record has granted the claim, one whose name
 * tells duplicates that a call with their request is executing. The first one
 * alone tells nothing: whoever looks up an old answer holds it for a moment.
 */
export function createOwnerLocks(redlock: Redlock) {
  const owned = new WeakMap<Claim, OwnerLocks>();
  return {
    keep(
      claim: Claim,
      lock: Lock,
      { holderKey, durationMs }: { readonly holderKey: string; readonly durationMs: number },
    ): void {
      // Not waited for: the handler need not start later for it.
      const holder = redlock.acquire([holderKey], durationMs).catch(() => undefined);
      owned.set(claim, { lock, holder });
    },

    /** A lock that is lost meanwhile only lets duplicates through to the store of record. */
    async extend(claim: Claim, durationMs: number): Promise<void> {
      const locks = owned.get(claim);
      if (locks === undefined) {
        return;
      }
      const extended = (lock: Lock | undefined) =>
        lock?.extend(durationMs).catch(() => lock) ?? Promise.resolve(undefined);
      locks.holder = locks.holder.then(extended);
      locks.lock = (await extended(locks.lock)) ?? locks.lock;
      await locks.holder;
    },

    async release(claim: Claim): Promise<void> {
      const locks = owned.get(claim);
      if (locks === undefined) {
        return;
      }
      owned.delete(claim);
      const released = release(locks.lock);
      const holder = await locks.holder;
      await Promise.all([released, holder && release(holder)]);
    },
  };
}
