import { StoreOverloaded } from "../../src/idempotency/answers/errors.js";
import { duplicateClaims } from "../../src/idempotency/port/duplicate-claims.js";
import type { Outcome } from "../../src/idempotency/port/outcome.js";
import type { Claim, ClaimRequest } from "../../src/idempotency/port/store.js";
import {
  type BatchesOptions,
  createBatches,
  QueueFull,
  type Settled,
  type Turn,
} from "../../src/runtime/batches.js";
import { LOCK_TIMEOUTS_MS } from "../../src/runtime/database-batches.js";
import type { Random } from "../support/random.js";
import { nameOf } from "./calls.js";
import { type Database, keepResult, type Work } from "./database.js";
import { SLOWEST_MESSAGE_MS } from "./network.js";
import type { RemoteDatabase } from "./remote-database.js";
import type { Scheduler } from "./scheduler.js";

/** As in the store of record, and few enough that batches fill up. */
const LANES = 2;
const MAX_BATCH_SIZE = 4;

/** Some items share a batch with fewer, and some with none. */
const SIZES_BYTES = [1, 1, 1, 2, 5];
const MAX_BATCH_BYTES = 4;
const MAX_WAITING_BYTES_PER_CALL = 10;

/** How many batches hold a row that the database refuses, and how many have to wait for one. */
const TROUBLE_RATE = 0.2;

/** How long another's transaction holds a row, and how often an owner comes back for it. */
const LONGEST_LOCK_MS = 5_000;
const PATIENT_TURNS = 3;

/** Changes how calls are gathered, to break it. */
export type ChangeBatches = <Item, Result>(
  options: BatchesOptions<Item, Result>,
) => BatchesOptions<Item, Result>;

export interface DatabaseBatchesOptions {
  /** For the calls that share no message. */
  readonly remote: RemoteDatabase;
  readonly database: Database;
  /** Sends a message, and executes it where it arrives. */
  readonly send: <Result>(what: string, execute: () => Promise<Result>) => Promise<Result>;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** For what came later, so that the seeds of before are still the worlds they were. */
  readonly own: Random;
  /** Calls back soon, on the process's own clock. */
  readonly soon: (callback: () => void) => void;
  readonly maxWaiting: number;
  readonly isFaulty: () => boolean;
  readonly rollBackRate: () => number;
  readonly change: ChangeBatches;
  readonly saw: (what: string) => void;
}

interface Completion {
  readonly claim: Claim;
  readonly outcome: Outcome;
  readonly retentionMs: number;
}

/**
 * The database as a process of the service reaches it: calls that come together
 * share a message and its commit, gathered by the real `createBatches` with the
 * rules of the store of record and of the payments' steps.
 */
export function batchCalls(options: DatabaseBatchesOptions): RemoteDatabase {
  const { remote, database, scheduler, random, own, isFaulty, saw } = options;
  const { store } = database;
  const trouble = () => isFaulty() && random.chance(TROUBLE_RATE);
  const sleep = (ms: number) => new Promise<void>((resolve) => scheduler.after(ms, resolve));

  function batchesOf<Item extends object, Result>(
    what: string,
    execute: (items: readonly Item[]) => Promise<readonly Settled<Result>[]>,
    more: Pick<BatchesOptions<Item, Result>, "subjectOf" | "share" | "patience"> &
      Pick<BatchesOptions<Item, Result>, "maxWaiting" | "maxWaitingBytes">,
  ) {
    const bad = new WeakSet<Item>();
    const heldUntilMs = new WeakMap<Item, number>();
    return createBatches(
      options.change<Item, Result>({
        ...more,
        run: (items, turn) =>
          options.send(`${items.length} ${what} ${turn}`, async () => {
            await waitForRows(items, turn, heldUntilMs);
            refuseBadRow(items, bad);
            if (items.length > 1) {
              saw(`batch of ${what}`);
            }
            return execute(items);
          }),
        lanes: LANES,
        maxBatchSize: MAX_BATCH_SIZE,
        sizeOf: () => own.pick(SIZES_BYTES),
        maxBatchBytes: MAX_BATCH_BYTES,
        mayRepeat: (error) => error instanceof RowRefused || error instanceof RowHeld,
        soon: options.soon,
      }),
    );
  }

  /** At times another's transaction holds the row of one for a while. @throws RowHeld */
  async function waitForRows<Item extends object>(
    items: readonly Item[],
    turn: Turn,
    heldUntilMs: WeakMap<Item, number>,
  ): Promise<void> {
    if (turn === "together" && isFaulty() && own.chance(TROUBLE_RATE)) {
      heldUntilMs.set(own.pick(items), scheduler.nowMs() + own.integer(0, LONGEST_LOCK_MS));
      saw("batch with a row that others hold");
    }
    const untilMs = Math.max(...items.map((item) => heldUntilMs.get(item) ?? 0));
    const leftMs = untilMs - scheduler.nowMs();
    if (leftMs > 0) {
      saw(`${turn} wait for a row that others hold`);
      await sleep(Math.min(leftMs, LOCK_TIMEOUTS_MS[turn]));
    }
    if (leftMs > LOCK_TIMEOUTS_MS[turn]) {
      throw new RowHeld("others hold a row");
    }
  }

  /** At times one of several spoils them all, and then fails alone. @throws RowRefused */
  function refuseBadRow<Item extends object>(items: readonly Item[], bad: WeakSet<Item>): void {
    if (items.length > 1 && trouble()) {
      bad.add(random.pick(items));
      saw("batch with a row that is refused");
      throw new RowRefused("a row of the batch is refused");
    }
    const [first] = items;
    if (items.length === 1 && first !== undefined && bad.delete(first)) {
      throw new RowRefused("the row is refused");
    }
  }

  /** Executes them in one moment, but at times the second half of them long after the first. */
  async function each<Item, Result>(
    items: readonly Item[],
    execute: (item: Item) => Promise<Result>,
  ): Promise<readonly Settled<Result>[]> {
    const lateFrom = items.length > 1 && trouble() ? Math.ceil(items.length / 2) : undefined;
    const results: Settled<Result>[] = [];
    for (const [index, item] of items.entries()) {
      if (index === lateFrom) {
        saw("batch half of which is late");
        const waitMs = random.integer(0, SLOWEST_MESSAGE_MS / 2);
        await sleep(waitMs);
      }
      results.push({ ok: true, value: await execute(item) });
    }
    return results;
  }

  const claims = batchesOf(
    "claims",
    (requests: readonly ClaimRequest[]) => each(requests, (request) => store.claim(request)),
    {
      subjectOf: ({ scope }) => nameOf(scope),
      maxWaiting: options.maxWaiting,
      maxWaitingBytes: MAX_WAITING_BYTES_PER_CALL * options.maxWaiting,
      share: {
        ...duplicateClaims,
        follow(result, request) {
          saw("claim that follows another");
          return duplicateClaims.follow(result, request);
        },
      },
    },
  );
  const completions = batchesOf(
    "completions",
    (batch: readonly Completion[]) =>
      each(batch, ({ claim, outcome, retentionMs }) => store.complete(claim, outcome, retentionMs)),
    { ...ownersWait, subjectOf: ({ claim }) => nameOf(claim.scope) },
  );
  const transactions = batchesOf(
    "transactions",
    (works: readonly Work[]) =>
      database.transact(works, random.chance(options.rollBackRate()) ? "roll_back" : "commit"),
    // All are operations on the world's one payment.
    { ...ownersWait, subjectOf: () => "the payment" },
  );

  return {
    store: {
      ...remote.store,
      async claim(request) {
        try {
          return await claims.add(request);
        } catch (error) {
          throw error instanceof QueueFull ? new StoreOverloaded(error.message) : error;
        }
      },
      complete: (claim, outcome, retentionMs) => completions.add({ claim, outcome, retentionMs }),
    },
    async transact(_scope, work) {
      const kept = keepResult(work);
      await transactions.add(kept.work);
      return kept.result();
    },
  };
}

/** The database refuses a row, and with it all that its message holds. */
class RowRefused extends Error {}

/** A row was not there in time, for any of those that its message holds. */
class RowHeld extends Error {}

/** Nobody who may have acted is refused. */
const ownersWait = {
  maxWaiting: Number.POSITIVE_INFINITY,
  patience: { hasToWait: (error: unknown) => error instanceof RowHeld, turns: PATIENT_TURNS },
};
