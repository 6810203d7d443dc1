import { type Clock, systemClock } from "../clock.js";

/** The time over which the mean duration of calls is taken. Milliseconds. */
const INTERVAL_MS = 100;

/** One tenant's calls may slow down its own; where there are others, only this part of the time is allowed. */
const SHARED = 1 / 4;

/** Work may take this many times what it takes at its fastest, as where the store is far away. */
const SLOWED_DOWN = 3;

/** After so long without congestion, the limit is the first one again. Milliseconds. */
const CALM_MS = 10_000;

const LEAST_CHANGE = 0.9;
const GREATEST_CHANGE = 0.3;
const INCREASE = 1.2;

/** The most calls of one tenant at work, before it is known how many can be done: a few tenths of a second of work. */
const FIRST_LIMIT = 1_000;

/** After how long to come again where about as many are taken as refused. Milliseconds. */
const RETRY_DELAY_MS = 1_000;

/** Times as long at most, doubling: a few different answers, each made once. */
const LONGEST_RETRY = 16;

/**
 * Calls that one tenant may always have at work: fewer would leave batches
 * empty, and a database that was away for a moment is no overload.
 */
const MIN_LIMIT = 64;

/** The last places go only to tenants that have fewer than as many. */
const RESERVED_SHARE = 0.1;

/**
 * Decides which calls are taken while more come than can be done. Past what a
 * process can do, a call that is taken only makes all others wait.
 *
 * The sign is the time that calls are worked on: once those of an interval took
 * too long, each tenant may have fewer calls at work, by as much as it was too
 * long; then slowly more again. Only calls count that came under the limit as it
 * is. All tenants have the same limit, so one that sends little
 * is not refused for one that sends much. How long other systems take, such as
 * a processor, is no sign, and calls that wait for them are not at work.
 */
export interface Admission {
  /** Returns true if a call of the tenant is taken. One that is must `leave`. */
  enter(tenant: string): boolean;
  leave(tenant: string): void;
  /** Returns true if any tenant's calls may be refused now. */
  isTight(): boolean;
  /** Returns true if a call of the tenant would not be taken now. Counts as one that was not. */
  refuses(tenant: string): boolean;
  /** A call that was taken waits for another system, and then is at work again. */
  pause(tenant: string): void;
  resume(tenant: string): void;
  /** Told of a call that was executed: when it came, and how long it was worked on. Milliseconds. */
  worked(call: { readonly enteredAtMs: number; readonly workMs: number }): void;
  /** After how long a refused call should come again: the later the more come for each that is taken. Milliseconds. */
  retryDelayMs(): number;
  /** Returns the number of calls that are under way. */
  underWay(): number;
}

export interface AdmissionOptions {
  /** Calls under way at once, of all tenants. */
  readonly maxCalls: number;
  /** The mean time for which calls may be worked on before fewer are taken. Default: any time. Milliseconds. */
  readonly maxWorkMs?: number;
  readonly clock?: Clock;
}

export function createAdmission({
  maxCalls,
  maxWorkMs = Number.POSITIVE_INFINITY,
  clock = systemClock,
}: AdmissionOptions): Admission {
  const isAdaptive = Number.isFinite(maxWorkMs);
  const reserved = Math.floor(maxCalls * RESERVED_SHARE);
  /** The number of calls that each tenant has under way, and of those at work among them. */
  const callsOf = createCounts();
  const workingOf = createCounts();
  /** The most calls of one tenant that may be at work. */
  let limit = isAdaptive ? FIRST_LIMIT : Number.POSITIVE_INFINITY;
  /** Since the limit changed: whose calls were taken, and how many. */
  const tenants = new Set<string>();
  let taken = 0;
  let refused = 0;
  let retryDelayMs = RETRY_DELAY_MS;
  let changedAtMs = clock.nowMs();
  let congestedAtMs = Number.NEGATIVE_INFINITY;
  let fastestEverMs = Number.POSITIVE_INFINITY;
  /** The number of calls that have ended since the limit changed, and the time that they took together. */
  let worked = 0;
  let totalMs = 0;

  function change(nowMs: number): void {
    const share = tenants.size > 1 ? SHARED : 1;
    const allowedMs = Math.max(maxWorkMs * share, SLOWED_DOWN * fastestEverMs);
    const meanMs = totalMs / worked;
    if (meanMs > allowedMs) {
      const factor = Math.min(LEAST_CHANGE, Math.max(GREATEST_CHANGE, allowedMs / meanMs));
      const most = Math.min(limit, workingOf.most());
      limit = Math.max(MIN_LIMIT, Math.floor(most * factor));
      congestedAtMs = nowMs;
    } else if (refused === 0 && nowMs - congestedAtMs > CALM_MS) {
      limit = FIRST_LIMIT;
    } else if (refused > 0) {
      limit = Math.ceil(limit * INCREASE);
    }
    const perTaken = Math.min(LONGEST_RETRY, Math.max(1, refused / Math.max(1, taken)));
    retryDelayMs = RETRY_DELAY_MS * 2 ** Math.floor(Math.log2(perTaken));
    taken = 0;
    refused = 0;
    tenants.clear();
    changedAtMs = nowMs;
    worked = 0;
    totalMs = 0;
  }

  function refuses(tenant: string): boolean {
    const calls = callsOf.total();
    const isFull =
      calls >= maxCalls || (calls >= maxCalls - reserved && callsOf.get(tenant) >= reserved);
    const isRefused = isFull || workingOf.get(tenant) >= limit;
    refused += isRefused ? 1 : 0;
    return isRefused;
  }

  return {
    isTight: () => workingOf.total() >= limit || callsOf.total() >= maxCalls - reserved,
    refuses,
    enter(tenant) {
      if (refuses(tenant)) {
        return false;
      }
      taken += 1;
      tenants.add(tenant);
      callsOf.add(tenant, 1);
      workingOf.add(tenant, 1);
      return true;
    },
    leave(tenant) {
      callsOf.add(tenant, -1);
      workingOf.add(tenant, -1);
    },
    pause: (tenant) => workingOf.add(tenant, -1),
    resume: (tenant) => workingOf.add(tenant, 1),
    worked({ enteredAtMs, workMs }) {
      fastestEverMs = Math.min(fastestEverMs, workMs);
      if (!isAdaptive || enteredAtMs < changedAtMs) {
        return;
      }
      worked += 1;
      totalMs += workMs;
      const nowMs = clock.nowMs();
      if (nowMs - changedAtMs >= INTERVAL_MS) {
        change(nowMs);
      }
    },
    retryDelayMs: () => retryDelayMs,
    underWay: callsOf.total,
  };
}

/** Counts by name; most names have none. */
function createCounts() {
  const counts = new Map<string, number>();
  let total = 0;
  const get = (name: string) => counts.get(name) ?? 0;
  return {
    get,
    total: () => total,
    most: () => Math.max(0, ...counts.values()),
    add(name: string, change: 1 | -1): void {
      total += change;
      const count = get(name) + change;
      // Below zero while a call that has left still waits for another system.
      if (count === 0) {
        counts.delete(name);
      } else {
        counts.set(name, count);
      }
    },
  };
}
