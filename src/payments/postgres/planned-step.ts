import { ClaimLost } from "../../idempotency/answers/errors.js";
import { type Settled, settled } from "../../runtime/batches.js";
import type { Written } from "../../runtime/owned-work.js";
import { mustExist } from "./rows.js";

/**
 * A step that is planned from what is known, without a lock, and written in one
 * statement where that is still so: see `OwnedWork`. Where another operation has
 * changed it meanwhile, it is read and planned again.
 */
export interface PlannedStep<Item, Known, Plan> {
  /** What an item brings along. Undefined: it has to be read. */
  readonly knownOf: (item: Item) => Known | undefined;
  /** Reads what items are planned from, by position. */
  readonly read: (items: readonly Item[]) => Promise<readonly Known[]>;
  /** @throws if the item is refused: it fails alone, and nothing is written for it. */
  readonly plan: (item: Item, known: Known) => Plan;
  /** Writes plans, and says by position what became of each. */
  readonly write: (planned: readonly Planned<Item, Plan>[]) => Promise<readonly Written[]>;
}

export interface Planned<Item, Plan> {
  readonly item: Item;
  readonly plan: Plan;
}

/**
 * The number of times that a step is planned. It is refused where another operation on the
 * payment was written in between, and each process writes one of them at a time.
 */
const MAX_PLANS = 20;

/**
 * Takes a step for many items, and answers by position with what was written.
 * @throws if nothing is known to be written. A failure in a later round is that of
 *   the items which are still open then: the others have been written.
 */
export async function takeStep<Item, Known, Plan>(
  step: PlannedStep<Item, Known, Plan>,
  items: readonly Item[],
): Promise<readonly Settled<Plan>[]> {
  const results = items.map((): Settled<Plan> => CHANGED);
  let open = items.map((item, index): Open<Item, Known> => {
    return { item, index, known: step.knownOf(item) };
  });
  for (let round = 0; round < MAX_PLANS && open.length > 0; round += 1) {
    try {
      for (const [index, result] of await planAndWrite(step, open)) {
        results[index] = result;
      }
    } catch (error) {
      if (round === 0) {
        throw error;
      }
      for (const { index } of open) {
        results[index] = { ok: false, error };
      }
    }
    open = open
      .filter(({ index }) => results[index] === CHANGED)
      .map((one) => ({ ...one, known: undefined }));
  }
  return results;
}

/** An item whose step is not written yet. */
interface Open<Item, Known> {
  readonly item: Item;
  readonly index: number;
  readonly known: Known | undefined;
}

/** What has come of open items. Those that have to be planned again are not in it. */
async function planAndWrite<Item, Known, Plan>(
  step: PlannedStep<Item, Known, Plan>,
  open: readonly Open<Item, Known>[],
): Promise<ReadonlyMap<number, Settled<Plan>>> {
  const results = new Map<number, Settled<Plan>>();
  const writing: (Planned<Item, Plan> & { readonly index: number })[] = [];
  for (const { item, index, known, isRead } of await readMissing(step, open)) {
    const planned = settled(() => step.plan(item, known));
    if (planned.ok) {
      writing.push({ item, index, plan: planned.value });
    } else if (isRead) {
      results.set(index, planned);
    } // What an item brought along may have changed, and be no reason to refuse it.
  }
  const written = await step.write(writing);
  writing.forEach(({ index, plan }, at) => {
    if (written[at] === "written") {
      results.set(index, { ok: true, value: plan });
    } else if (written[at] === "lost") {
      results.set(index, LOST);
    }
  });
  return results;
}

async function readMissing<Item, Known>(
  { read }: Pick<PlannedStep<Item, Known, unknown>, "read">,
  open: readonly Open<Item, Known>[],
) {
  const missing = open.filter(({ known }) => known === undefined);
  const found = missing.length === 0 ? [] : await read(missing.map(({ item }) => item));
  const foundAt = new Map(missing.map(({ index }, at) => [index, found[at]]));
  return open.map(({ item, index, known }) => ({
    item,
    index,
    known: known ?? mustExist(foundAt.get(index), "what a step is planned from"),
    isRead: known === undefined,
  }));
}

const LOST: Settled<never> = { ok: false, error: new ClaimLost() };

const CHANGED: Settled<never> = {
  ok: false,
  error: new Error(`a payment has changed ${MAX_PLANS} times while an operation was written on it`),
};
