import { createExecutingLocks, type ExecutingLocks } from "./executing-locks.js";
import { requestLock, type WantedLock } from "./lock-request.js";
import type { HeldLock, Locks, LocksOptions } from "./locks.js";
import type { NodeBatches } from "./node-batches.js";
import { lockValue } from "./script.js";

/** Redlock of our own: a quorum over batches, and locks that say whose request executes under them. */
export function batchedLocks(on: LocksOptions): Locks {
  const { batches, clock, processName } = on;
  // A random name and a number: unique, without random bytes for each claim.
  let claims = 0;
  const executing = createExecutingLocks({
    clock,
    mark: (lock) => batches.add({ kind: "mark", lock }),
  });

  return {
    request({ lockName, ...asked }) {
      executing.hurry(lockName);
      claims += 1;
      const value = lockValue(`${processName}.${claims.toString(36)}`, asked.request);
      return requestLock(new BatchedLock(lockName, value, { batches, executing }), asked, on);
    },
  };
}

class BatchedLock implements WantedLock, HeldLock {
  isWanted = true;
  keptAtMs = Number.NaN;

  constructor(
    readonly name: string,
    readonly value: string,
    private readonly on: { readonly batches: NodeBatches; readonly executing: ExecutingLocks },
  ) {}

  keep(): void {
    this.on.executing.add(this);
  }

  extend(ttlMs: number): Promise<void> {
    return new Promise((onDone) =>
      this.on.batches.add({ kind: "extend", lock: this, ttlMs, onDone }),
    );
  }

  async release(): Promise<void> {
    const { batches, executing } = this.on;
    this.isWanted = false;
    if (executing.remove(this)) {
      batches.add({ kind: "release", lock: this });
    } else {
      await new Promise<void>((onDone) => batches.add({ kind: "release", lock: this, onDone }));
    }
  }
}
