import type { Redis } from "ioredis";
import type { Clock } from "../../idempotency/clock.js";

/** Copies that one MGET asks for, at most. */
const MAX_BATCH_SIZE = 256;

/** A node that takes longer is not waited for: asking all of them is sooner done. Milliseconds. */
const TIMEOUT_MS = 20;

/** How long a node that failed or was slow is not asked first. Milliseconds. */
const REST_MS = 1_000;

/** Reads copies from one node, where a claim would ask all of them. */
export interface Lookups {
  /**
   * Resolves with what a node has under the name, or undefined if it has
   * nothing, or does not say so soon. Never rejects.
   */
  find(name: string, onSent: () => void): Promise<Buffer | undefined>;
}

interface Lookup {
  readonly name: string;
  readonly onSent: () => void;
  readonly resolve: (copy: Buffer | undefined) => void;
}

interface State {
  readonly node: Redis;
  /** What it is asked for and has not replied to. */
  reading: readonly Lookup[] | undefined;
  /** Nobody waits for that reply any more. */
  isLate: boolean;
  restsUntilMs: number;
}

/** Gathers lookups while one read is on its way to each node. The nodes take turns. */
export function createLookups({
  nodes,
  clock,
  soon,
}: {
  readonly nodes: readonly Redis[];
  readonly clock: Clock;
  /** Calls back soon, after what has just arrived. */
  readonly soon: (callback: () => void) => void;
}): Lookups {
  const states = nodes.map(
    (node): State => ({ node, reading: undefined, isLate: false, restsUntilMs: 0 }),
  );
  let waiting: Lookup[] = [];
  let isStarting = false;
  let turn = 0;

  function startSoon(): void {
    if (!isStarting && waiting.length > 0) {
      isStarting = true;
      soon(() => {
        isStarting = false;
        start();
      });
    }
  }

  function start(): void {
    const nowMs = clock.nowMs();
    const awake = states.filter(({ isLate, restsUntilMs }) => !isLate && restsUntilMs <= nowMs);
    if (awake.length === 0) {
      tell(waiting.splice(0), undefined);
      return;
    }
    turn += 1;
    const free = awake.filter(({ reading }) => reading === undefined);
    const state = free[turn % free.length];
    if (state !== undefined && waiting.length > 0) {
      const lookups = waiting;
      waiting = lookups.splice(MAX_BATCH_SIZE);
      read(state, lookups);
      startSoon();
    }
  }

  function read(state: State, lookups: readonly Lookup[]): void {
    state.reading = lookups;
    const fail = () => {
      state.restsUntilMs = clock.nowMs() + REST_MS;
      tell(lookups, undefined);
    };
    const end = (answer: () => void) => {
      cancelTimeout();
      if (!state.isLate) {
        answer();
      }
      state.reading = undefined;
      state.isLate = false;
      startSoon();
    };
    const giveUp = () => {
      if (state.reading === lookups) {
        state.isLate = true;
        fail();
        startSoon();
      }
    };
    // Where this process was busy for so long, the reply may be here, and not read yet.
    const cancelTimeout = clock.setTimer(TIMEOUT_MS, () => soon(giveUp));
    for (const { onSent } of lookups) {
      onSent();
    }
    const names = lookups.map(({ name }) => name);
    state.node.callBuffer("mget", names).then(
      (copies) => end(() => tell(lookups, copies)),
      () => end(fail),
    );
  }

  return {
    find: (name, onSent) =>
      new Promise((resolve) => {
        waiting.push({ name, onSent, resolve });
        startSoon();
      }),
  };
}

function tell(lookups: readonly Lookup[], copies: unknown): void {
  const found: readonly unknown[] = Array.isArray(copies) ? copies : [];
  lookups.forEach(({ resolve }, index) => {
    const copy = found[index];
    resolve(Buffer.isBuffer(copy) ? copy : undefined);
  });
}
