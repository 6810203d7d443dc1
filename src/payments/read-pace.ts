import { CallError, refusal } from "../idempotency/answers/errors.js";
import { type Clock, sleep } from "../idempotency/clock.js";

/**
 * The part of the process's time that pages take at most while payments are made. Large pages
 * and small ones have as much each, so that neither waits for the other kind.
 */
const SHARE = 0.04;

/** The most rows of a small page: what a person looks at. */
const SMALL_PAGE_ROWS = 100;

/** Payments are made as long as one has begun or ended that lately: others wait for a processor. Milliseconds. */
const BUSY_MS = 250;

/** What a page takes altogether, by the part that is measured: its rows come and go over sockets as well. */
const TIMES_MEASURED = 3;

/** How long a row takes before any was measured. Milliseconds. */
const FIRST_ROW_MS = 0.02;

/** The longest time between two looks whether payments are still made. Milliseconds. */
const LOOK_MS = 50;

/** A page to read, and what makes its answer of what was read, at once. */
export interface PageWork<Read, Answer> {
  /** The most rows that it may have. */
  readonly size: number;
  readonly read: () => Promise<Read>;
  readonly answer: (read: Read) => Answer;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
}

/**
 * Lets pages give way to payments. A process does one thing at a time, and a page
 * of a thousand rows takes as long as twenty payments: readers that ask for one
 * after the other would leave little for anything else.
 */
export interface ReadPace {
  /** Does the work of a payment. */
  pay<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Reads a page: at once where no payment is made, else in its turn. */
  page<Read, Answer>(work: PageWork<Read, Answer>): Promise<Answer>;
}

export interface ReadPaceOptions {
  readonly clock: Clock;
  /** The time that a stretch of work is measured by. Milliseconds. */
  readonly now?: () => number;
}

export function createReadPace({
  clock,
  now = () => performance.now(),
}: ReadPaceOptions): ReadPace {
  let paidAtMs = Number.NEGATIVE_INFINITY;
  const isBusy = () => now() - paidAtMs < BUSY_MS;
  const small = createLine({ clock, now, isBusy });
  const large = createLine({ clock, now, isBusy });

  return {
    async pay(work) {
      paidAtMs = now();
      try {
        return await work();
      } finally {
        paidAtMs = now();
      }
    },

    async page({ size, read, answer, signal }) {
      const line = size <= SMALL_PAGE_ROWS ? small : large;
      const settle = await line.turn(size, signal);
      let spentMs = 0;
      try {
        const found = await read();
        const startedAtMs = now();
        const answered = answer(found);
        spentMs = (now() - startedAtMs) * TIMES_MEASURED;
        return answered;
      } finally {
        settle(spentMs);
      }
    },
  };
}

/** Pages of one kind, each after the one before has been paid for with time for payments. */
function createLine({
  clock,
  now,
  isBusy,
}: Required<ReadPaceOptions> & { readonly isBusy: () => boolean }) {
  let last = Promise.resolve();
  let freeAtMs = Number.NEGATIVE_INFINITY;
  let rowMs = FIRST_ROW_MS;

  async function wait(signal: AbortSignal): Promise<void> {
    while (isBusy() && !signal.aborted && now() < freeAtMs) {
      await sleep(clock, Math.min(LOOK_MS, Math.ceil(freeAtMs - now())), signal);
    }
  }

  return {
    /** Waits for a turn. What comes back takes the time that the page took in the end. Milliseconds. */
    async turn(rows: number, signal: AbortSignal): Promise<(spentMs: number) => void> {
      if (isBusy()) {
        const before = last;
        const waited = before.then(() => wait(signal));
        last = waited;
        await waited;
      }
      if (signal.aborted) {
        // Whoever leaves early must not get ahead of those that wait.
        throw new CallError(
          refusal("OVERLOADED", "the caller has left before its turn", {
            retryDelayMs: BUSY_MS,
          }),
        );
      }
      const expectedMs = rows * rowMs;
      freeAtMs = Math.max(freeAtMs, now()) + expectedMs / SHARE;
      return (spentMs) => {
        freeAtMs += (spentMs - expectedMs) / SHARE;
        if (spentMs > 0) {
          rowMs = (rowMs + spentMs / rows) / 2;
        }
      };
    },
  };
}
