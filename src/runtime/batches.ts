/** One item's part of a batch: its result, or why it alone failed. */
export type Settled<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly error: unknown };

/** What a computation gives, or why it failed. */
export function settled<Result>(compute: () => Result): Settled<Result> {
  try {
    return { ok: true, value: compute() };
  } catch (error) {
    return { ok: false, error };
  }
}

/** Too much waits already. The item was not sent, nor will it be. */
export class QueueFull extends Error {
  override readonly name = "QueueFull";
}

export interface Batches<Item, Result> {
  /**
   * Resolves with the item's own result.
   * @throws QueueFull if too many items wait.
   */
  add(item: Item): Promise<Result>;
}

export interface BatchesOptions<Item, Result> {
  /** Runs a batch, and answers by position. Rejects where it failed as a whole. */
  readonly run: (items: readonly Item[]) => Promise<readonly Settled<Result>[]>;
  /** What an item is about. No two items about the same are under way at once. */
  readonly subjectOf: (item: Item) => string;
  /** How many batches may be under way at once. */
  readonly lanes: number;
  readonly maxBatchSize: number;
  /** How many items may wait. Past it the caller is told at once. */
  readonly maxWaiting: number;
  /** Whether an item may succeed alone in a batch that failed with this error. Default: never. */
  readonly mayRepeat?: (error: unknown) => boolean;
  /**
   * How an item is run that failed alone because it has to wait: once more, as
   * long as it takes, one after another. What waits long holds up only its like.
   */
  readonly patience?: {
    readonly hasToWait: (error: unknown) => boolean;
    readonly run: (items: readonly Item[]) => Promise<readonly Settled<Result>[]>;
  };
  /**
   * Where an item is the same as one that waits, what it makes of that one's
   * result, instead of being sent itself. Default: each is sent.
   */
  readonly share?: {
    readonly isSame: (waiting: Item, added: Item) => boolean;
    readonly follow: (result: Result, added: Item) => Result;
  };
  /** Calls back soon, after what has just arrived. Default `setImmediate`. */
  readonly soon?: (callback: () => void) => void;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly subject: string;
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
  const { mayRepeat = () => false, soon = setImmediate } = options;
  type Entry = Waiting<Item, Result>;

  let waiting: Entry[] = [];
  const newestOf = new Map<string, Entry>();
  const underWay = new Set<string>();
  const alone = createLine<Entry>(lanes, (entry) => runBatch([entry]).finally(start));
  const patient = createLine<Entry>(1, (entry) => runPatiently(entry).finally(start));
  let lanesBusy = 0;
  let starting = false;

  function add(item: Item): Promise<Result> {
    const subject = subjectOf(item);
    const newest = newestOf.get(subject);
    if (share !== undefined && newest !== undefined && share.isSame(newest.item, item)) {
      return newest.result.then((result) => share.follow(result, item));
    }
    if (waiting.length >= maxWaiting) {
      return Promise.reject(new QueueFull(`${maxWaiting} are waiting already`));
    }
    const { promise, resolve, reject } = withResolvers<Result>();
    const entry = { item, subject, resolve, reject, result: promise };
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
      const batch = take();
      if (batch.length === 0) {
        return;
      }
      lanesBusy += 1;
      void runBatch(batch).finally(() => {
        lanesBusy -= 1;
        start();
      });
    }
  }

  /** The first items that wait, no two about the same; the others keep their order. */
  function take(): Entry[] {
    const batch: Entry[] = [];
    const left: Entry[] = [];
    for (const entry of waiting) {
      if (batch.length === maxBatchSize || underWay.has(entry.subject)) {
        left.push(entry);
        continue;
      }
      underWay.add(entry.subject);
      if (newestOf.get(entry.subject) === entry) {
        newestOf.delete(entry.subject);
      }
      batch.push(entry);
    }
    waiting = left;
    return batch;
  }

  async function runBatch(batch: readonly Entry[]): Promise<void> {
    try {
      settleAll(batch, await run(batch.map(({ item }) => item)));
    } catch (error) {
      if (batch.length > 1 && mayRepeat(error)) {
        alone(batch);
      } else if (batch.length === 1 && patience?.hasToWait(error) === true) {
        patient(batch);
      } else {
        failAll(batch, error);
      }
    }
  }

  async function runPatiently(entry: Entry): Promise<void> {
    try {
      settleAll([entry], (await patience?.run([entry.item])) ?? []);
    } catch (error) {
      failAll([entry], error);
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

/** Works on what it is given, `width` at once, in the order in which it came. */
function createLine<Entry>(
  width: number,
  work: (entry: Entry) => Promise<void>,
): (entries: readonly Entry[]) => void {
  const queue: Entry[] = [];
  let busy = 0;
  function start(): void {
    for (; busy < width; busy += 1) {
      const entry = queue.shift();
      if (entry === undefined) {
        return;
      }
      void work(entry).finally(() => {
        busy -= 1;
        start();
      });
    }
  }
  return (entries) => {
    queue.push(...entries);
    start();
  };
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
