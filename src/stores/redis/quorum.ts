/** The replies of the nodes to one claim so far, counted. */
export interface Tally {
  readonly nodes: number;
  heard: number;
  silent: number;
  granted: number;
  /** Values of locks under which a call with the same request is executing. */
  readonly holders: string[];
  /** The number of nodes that name the holder whom most of them name. */
  mostHolders: number;
}

export type Verdict =
  /** A majority gave the lock. */
  | "granted"
  /** A majority names one holder, with the same request, that is executing. */
  | "held"
  /** The nodes are split, or the holder is another, or only looks. */
  | "undecided"
  /** A majority says nothing. */
  | "no_quorum";

export function majorityOf(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}

export function createTally(nodes: number): Tally {
  return { nodes, heard: 0, silent: 0, granted: 0, holders: [], mostHolders: 0 };
}

export function countGrant(tally: Tally): void {
  tally.heard += 1;
  tally.granted += 1;
}

export function countSilence(tally: Tally): void {
  tally.heard += 1;
  tally.silent += 1;
}

/** The node neither gave the lock nor named a holder that counts. */
export function countRefusal(tally: Tally): void {
  tally.heard += 1;
}

export function countHolder(tally: Tally, value: string): void {
  tally.heard += 1;
  tally.holders.push(value);
  const same = tally.holders.filter((holder) => holder === value).length;
  tally.mostHolders = Math.max(tally.mostHolders, same);
}

/** The verdict, once what is not heard yet cannot change it; always once all are heard. */
export function judge({ nodes, heard, silent, granted, mostHolders }: Tally): Verdict | undefined {
  const majority = majorityOf(nodes);
  if (granted >= majority) {
    return "granted";
  }
  if (mostHolders >= majority) {
    return "held";
  }
  if (silent >= majority) {
    return "no_quorum";
  }
  const unheard = nodes - heard;
  return Math.max(granted, mostHolders) + unheard < majority ? "undecided" : undefined;
}

/** The part by which a node's clock may run faster than ours: Redlock's factor. */
const DRIFT_FACTOR = 0.01;

/** The precision of Redis's expiry, and one for a lock of a few milliseconds. Redlock's constant. */
const DRIFT_MS = 2;

/**
 * Returns true if a lock is still held, by Redlock's rule: counted from when it was
 * asked for, not from when it was given.
 */
export function isStillHeld(lock: {
  readonly sentAtMs: number;
  readonly ttlMs: number;
  readonly nowMs: number;
}): boolean {
  return lock.nowMs - lock.sentAtMs + lock.ttlMs * DRIFT_FACTOR + DRIFT_MS < lock.ttlMs;
}
