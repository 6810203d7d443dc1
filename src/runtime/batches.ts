import { createLine } from "./line.js";

/** One item's part of a batch: its result, or why it alone failed. */
export type Settled<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly error: unknown };

/** The result of a computation, or the error it failed with. */
export function settled<Result>(compute: () => Result): Settled<Result> {
  try {
    return { ok: true, value: compute() };
  } catch (error) {
    return { ok: false, error };
  }
}

/**
 * The way in which an item is run: with those it was gathered with; by itself, because these
 * have failed or because of its size; once more, because it has to wait.
 */
export type Turn = "together" | "alone" | "patiently";

/** The item was not sent, and will not be: too many wait already, it has waited too long, or nobody wants its result any more. */
export class QueueFull extends Error {
  override readonly name = "QueueFull";
}

export interface Batches<Item, Result> {
  /**
   * Resolves with the item's own result.
   * @throws QueueFull if too many items wait, or too large ones, or for too long.
   */
  add(item: Item): Promise<Result>;
}

export interface BatchesOptions<Item, Result> {
  /** Runs a batch, and answers by position. Rejects where it failed as a whole. */
  readonly run: (items: readonly Item[], turn: Turn) => Promise<readonly Settled<Result>[]>;
  /** Names the subject of an item, such as a key. No two items with one subject are under way at once. */
  readonly subjectOf: (item: Item) => string;
  /** The most batches that may be under way at once. */
  readonly lanes: number;
  readonly maxBatchSize: number;
  /** The size of an item. Default: 0, for items too small to count. Bytes. */
  readonly sizeOf?: (item: Item) => number;
  /**
   * The most bytes that the items of a batch may have together. An item that has more
   * by itself is sent alone, beside the lanes and after other large items. Default: any number.
   */
  readonly maxBatchBytes?: number;
  /** The most items that may wait. Past it a call of `add` rejects at once. */
  readonly maxWaiting: number;
  /**
   * The most bytes that the items without a result may have together; past it a call
   * of `add` rejects at once. A single item may have any number. Default: any number.
   */
  readonly maxWaitingBytes?: number;
  /** Returns true if an item may succeed alone in a batch that failed with this error. Default: never. */
  readonly mayRepeat?: (error: unknown) => boolean;
  /**
   * For an item that failed alone because it has to wait: how many more turns it
   * gets, in turn with the others that wait. Items that do not have to wait are not held up.
   */
  readonly patience?: {
    readonly hasToWait: (error: unknown) => boolean;
    readonly turns: number;
  };
  /**
   * An item that is the same as one that waits is not sent: it follows that one,
   * and gets what `follow` makes of its result. Default: each item is sent.
   */
  readonly share?: {
    readonly isSame: (waiting: Item, added: Item) => boolean;
    readonly follow: (result: Result, added: Item) => Result;
  };
  /**
   * Names whom an item is for, such as its tenant. Where more items wait than a
   * batch takes, the parties take turns. Default: the first that came goes first.
   */
  readonly partyOf?: (item: Item) => string;
  /** Returns true if an item that waits still has to be sent, as when its caller still waits. Default: always. */
  readonly isWanted?: (item: Item) => boolean;
  /** The longest time for which an item may wait; past it, it is rejected. Default: any time. Milliseconds. */
  readonly maxWaitMs?: number;
  /** Calls back soon, after what has just arrived. Default `setImmediate`. */
  readonly soon?: (callback: () => void) => void;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly subject: string;
  readonly sizeBytes: number;
  readonly addedAtMs: number;
  /** The number of turns that it still gets for having to wait. */
  turnsLeft: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly result: Promise<Result>;
}

/**
 * Gathers items into batches that share a round trip. While the lanes are busy
 * the next batch gathers; where one is free, an item goes with those that
 * arrive in the same turn of the event loop. No timer: an idle process stays so.
 *
 * Items that a failed batch leaves undecided are repeated one by one, beside
 * the lanes: what one of them has spoiled does not hold up the others.
 */
export function createBatches<Item, Result>(
  options: BatchesOptions<Item, Result>,
): Batches<Item, Result> {
  const { run, subjectOf, lanes, maxBatchSize, maxWaiting, share, patience } = options;
  const { sizeOf = () => 0, maxBatchBytes = Number.POSITIVE_INFINITY } = options;
  const { maxWaitingBytes = Number.POSITIVE_INFINITY } = options;
  const { mayRepeat = () => false, soon = setImmediate } = options;
  const { partyOf, isWanted, maxWaitMs } = options;
  type Entry = Waiting<Item, Result>;

  let waiting: Entry[] = [];
  const newestOf = new Map<string, Entry>();
  const underWay = new Set<string>();
  const lineOf = (width: number, turn: Turn) =>
    createLine<Entry>(width, (entry) => runBatch([entry], turn).finally(start));
  const alone = lineOf(lanes, "alone");
  const large = lineOf(1, "alone");
  const patient = lineOf(1, "patiently");
  let lanesBusy = 0;
  /** The size of all items without a result. Bytes. */
  let heldBytes = 0;
  let starting = false;

  function add(item: Item): Promise<Result> {
    const subject = subjectOf(item);
    const newest = newestOf.get(subject);
    if (
      newest !== undefined &&
      share?.isSame(newest.item, item) &&
      isWanted?.(newest.item) !== false
    ) {
      return newest.result.then((result) => share.follow(result, item));
    }
    if (waiting.length + alone.waiting() + large.waiting() + patient.waiting() >= maxWaiting) {
      return Promise.reject(new QueueFull(`${maxWaiting} are waiting already`));
    }
    const sizeBytes = sizeOf(item);
    if (heldBytes > 0 && heldBytes + sizeBytes > maxWaitingBytes) {
      return Promise.reject(new QueueFull(`${heldBytes} bytes are waiting already`));
    }
    heldBytes += sizeBytes;
    const { promise, resolve, reject } = withResolvers<Result>();
    const turnsLeft = patience?.turns ?? 0;
    const addedAtMs = maxWaitMs === undefined ? 0 : performance.now();
    const entry = {
      item,
      subject,
      sizeBytes,
      addedAtMs,
      turnsLeft,
      resolve,
      reject,
      result: promise,
    };
    waiting.push(entry);
    newestOf.set(subject, entry);
    startSoon();
    return promise;
  }

  function startSoon(): void {
    if (!starting && lanesBusy < lanes) {
      starting = true;
      soon(() => {
        starting = false;
        start();
      });
    }
  }

  function start(): void {
    while (lanesBusy < lanes) {
      dropUnwanted();
      const batch = take();
      if (batch.length === 0) {
        return;
      }
      lanesBusy += 1;
      void runBatch(batch, "together").finally(() => {
        lanesBusy -= 1;
        start();
      });
    }
  }

  /** Rejects waiting items whose callers have gone, and those that have waited too long. */
  function dropUnwanted(): void {
    if (isWanted === undefined && maxWaitMs === undefined) {
      return;
    }
    const oldestMs = performance.now() - (maxWaitMs ?? Number.POSITIVE_INFINITY);
    const isDropped = ({ item, addedAtMs }: Entry) =>
      addedAtMs < oldestMs || !(isWanted?.(item) ?? true);
    const dropped = new Set(waiting.filter(isDropped));
    if (dropped.size === 0) {
      return;
    }
    waiting = waiting.filter((entry) => !dropped.has(entry));
    for (const entry of dropped) {
      forget(entry);
      heldBytes -= entry.sizeBytes;
      entry.reject(new QueueFull("it waited too long, or for nobody"));
    }
  }

  /** No later item shares its result any more. */
  function forget(entry: Entry): void {
    if (newestOf.get(entry.subject) === entry) {
      newestOf.delete(entry.subject);
    }
  }

  /**
   * The first items that wait, no two about the same, and no more than fit; the
   * others keep their order. Those too large for any batch go their own way.
   */
  function take(): Entry[] {
    const batch: Entry[] = [];
    const left: Entry[] = [];
    const tooLarge: Entry[] = [];
    let batchBytes = 0;
    for (const entry of inOrder()) {
      const isLarge = entry.sizeBytes > maxBatchBytes;
      const fits = batch.length < maxBatchSize && batchBytes + entry.sizeBytes <= maxBatchBytes;
      if (underWay.has(entry.subject) || !(isLarge || fits)) {
        left.push(entry);
        continue;
      }
      underWay.add(entry.subject);
      forget(entry);
      if (isLarge) {
        tooLarge.push(entry);
      } else {
        batchBytes += entry.sizeBytes;
        batch.push(entry);
      }
    }
    waiting = left;
    large.add(tooLarge);
    return batch;
  }

  /** As they came; where more wait than fit, the parties have turns. */
  function inOrder(): readonly Entry[] {
    if (partyOf === undefined || waiting.length <= maxBatchSize) {
      return waiting;
    }
    const counts = new Map<string, number>();
    return waiting
      .map((entry) => {
        const party = partyOf(entry.item);
        const turn = counts.get(party) ?? 0;
        counts.set(party, turn + 1);
        return { entry, turn };
      })
      .sort((a, b) => a.turn - b.turn)
      .map(({ entry }) => entry);
  }

  async function runBatch(batch: readonly Entry[], turn: Turn): Promise<void> {
    try {
      const items = batch.map(({ item }) => item);
      settleAll(batch, await run(items, turn));
    } catch (error) {
      const [first] = batch;
      if (batch.length > 1) {
        if (mayRepeat(error)) {
          alone.add(batch);
        } else {
          failAll(batch, error);
        }
      } else if (first !== undefined && first.turnsLeft > 0 && patience?.hasToWait(error)) {
        first.turnsLeft -= 1;
        patient.add(batch);
      } else {
        failAll(batch, error);
      }
    }
  }

  function settleAll(batch: readonly Entry[], results: readonly Settled<Result>[]): void {
    batch.forEach((entry, index) => {
      settle(entry, results[index]);
    });
  }

  function failAll(batch: readonly Entry[], error: unknown): void {
    for (const entry of batch) {
      settle(entry, { ok: false, error });
    }
  }

  function settle(entry: Entry, settled: Settled<Result> | undefined): void {
    underWay.delete(entry.subject);
    heldBytes -= entry.sizeBytes;
    if (settled === undefined) {
      entry.reject(new Error("the batch has no result for this item"));
    } else if (settled.ok) {
      entry.resolve(settled.value);
    } else {
      entry.reject(settled.error);
    }
  }

  return { add };
}

/** `Promise.withResolvers`, which Node 20 does not have yet. */
function withResolvers<Result>() {
  let resolve: (result: Result) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Result>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  return { promise, resolve, reject };
}
