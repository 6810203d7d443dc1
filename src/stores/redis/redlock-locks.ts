import type { Clock } from "../../idempotency/clock.js";
import { createExecutingLocks, type ExecutingLocks, type KeptLock } from "./executing-locks.js";
import type { LockReply, LockRequest } from "./lock-request.js";
import type { CreateLocks, HeldLock, Locks, LocksOptions } from "./locks.js";
import { NODE_TIMEOUT_MS } from "./node-link.js";
import { createTally, judge } from "./quorum.js";
import { copyIn, count } from "./replies.js";
import { lockValue, MARK } from "./script.js";

/** A lock as the `redlock` package gives it. */
export interface RedlockLock {
  release(): Promise<unknown>;
  extend(durationMs: number): Promise<RedlockLock>;
}

/** The part of a `Redlock` of the `redlock` package, 5.0, that is used here. */
export interface RedlockLike {
  acquire(
    resources: string[],
    durationMs: number,
    settings: { readonly retryCount: number },
  ): Promise<RedlockLock>;
}

/**
 * Makes the locks of a gate from a `Redlock` that a process shares, with its
 * settings and events, with other work: `redisGate({ ..., locks: fromRedlock(redlock) })`.
 * Its clients may be other connections than the gate's nodes, to the same servers.
 *
 * A lock of `redlock` says nothing of its holder. So a call that takes its time
 * keeps a mark beside the lock, which names its request; a call that finds the mark
 * on a majority is a duplicate. A call costs a round trip more than with `batchedLocks`.
 */
export function fromRedlock(redlock: RedlockLike): CreateLocks {
  return (on) => redlockLocks(redlock, on);
}

function redlockLocks(redlock: RedlockLike, on: LocksOptions): Locks {
  const { clock, processName } = on;
  const executing = createExecutingLocks<MarkedLock>({ clock, mark: (lock) => lock.mark() });
  let claims = 0;

  /** Undefined where others have it, or it is not given in time. */
  async function acquire(lockName: string, ttlMs: number): Promise<RedlockLock | undefined> {
    // Only once: where votes are split, the store of record decides sooner.
    const acquiring = redlock.acquire([lockName], ttlMs, { retryCount: 0 }).catch(() => undefined);
    const lock = await inTime(clock, acquiring);
    if (lock === undefined) {
      void acquiring.then((late) => late && giveBack(late));
    }
    return lock;
  }

  return {
    async request(asked) {
      const { lockName, request, ttlMs } = asked;
      const markName = `${lockName}:executing`;
      executing.hurry(markName);
      const found = await look(markName, asked, on);
      if (found.kind !== "undecided") {
        return found;
      }
      const held = await acquire(lockName, ttlMs);
      if (held === undefined) {
        return found;
      }
      claims += 1;
      const value = lockValue(`${processName}.${claims.toString(36)}`, request);
      const lock = new MarkedLock({ name: markName, value, held, ttlMs, executing, on });
      return { kind: "granted", lock };
    },
  };
}

/** Asks all nodes for a copy of the answer, else for the mark of a call that is executing. */
function look<Answer>(
  name: string,
  { copyName, request, verify, onSent }: LockRequest<Answer>,
  { nodeCount, batches }: LocksOptions,
): Promise<Exclude<LockReply<Answer>, { kind: "granted" }>> {
  const tally = createTally(nodeCount);
  return new Promise((resolve) =>
    batches.add({
      kind: "look",
      name,
      copyName,
      onSent,
      onReply(reply) {
        count(tally, reply, request);
        const copy = copyIn(reply);
        const answer = copy && verify(copy);
        if (answer !== undefined) {
          resolve({ kind: "hit", answer });
        }
      },
      onMajority() {
        const verdict = judge(tally);
        if (verdict !== undefined && verdict !== "granted") {
          resolve({ kind: verdict });
        }
      },
    }),
  );
}

/** A lock of `redlock`, with the mark beside it. */
class MarkedLock implements KeptLock, HeldLock {
  readonly name: string;
  readonly value: string;
  keptAtMs = Number.NaN;
  #held: RedlockLock;
  #ttlMs: number;
  #isMarked = false;
  readonly #executing: ExecutingLocks<MarkedLock>;
  readonly #on: LocksOptions;

  constructor(options: {
    readonly name: string;
    readonly value: string;
    readonly held: RedlockLock;
    readonly ttlMs: number;
    readonly executing: ExecutingLocks<MarkedLock>;
    readonly on: LocksOptions;
  }) {
    this.name = options.name;
    this.value = `${options.value}${MARK}`;
    this.#held = options.held;
    this.#ttlMs = options.ttlMs;
    this.#executing = options.executing;
    this.#on = options.on;
  }

  keep(): void {
    this.#executing.add(this);
  }

  mark(): void {
    this.#isMarked = true;
    const { name: copyName, value } = this;
    this.#on.batches.add({ kind: "put", copyName, copy: Buffer.from(value), ttlMs: this.#ttlMs });
  }

  async extend(ttlMs: number): Promise<void> {
    this.#ttlMs = ttlMs;
    if (this.#isMarked) {
      this.mark();
    }
    // What fails costs nothing: the lease counts, not the lock. What comes late still counts for the next time.
    const extending = this.#held.extend(ttlMs).then(
      (extended) => {
        this.#held = extended;
      },
      () => {},
    );
    await inTime(this.#on.clock, extending);
  }

  async release(): Promise<void> {
    this.#executing.remove(this);
    giveBack(this.#held);
    if (this.#isMarked) {
      await new Promise<void>((onDone) =>
        this.#on.batches.add({ kind: "release", lock: this, onDone }),
      );
    }
  }
}

function giveBack(lock: RedlockLock): void {
  lock.release().catch(() => {}); // it expires by itself
}

/** What comes in the time that a node has; undefined where it comes later. */
function inTime<Result>(clock: Clock, coming: Promise<Result>): Promise<Result | undefined> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(NODE_TIMEOUT_MS, () => resolve(undefined));
    void coming.then((result) => {
      cancel();
      resolve(result);
    });
  });
}
