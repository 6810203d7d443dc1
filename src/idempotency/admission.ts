import { type Clock, systemClock } from "./clock.js";

/** What waits for its turn longer than this waits in a queue that does not end by itself. Milliseconds. */
const TARGET_MS = 200;

/** Over which the shortest wait counts, and how often the limit changes. Milliseconds. */
const INTERVAL_MS = 100;

/** Long after a congestion, the limit is forgotten. Milliseconds. */
const CALM_MS = 10_000;

const DECREASE = 0.7;
const INCREASE = 1.1;

/** Calls that one tenant may always have under way: fewer would leave a processor's time unused. */
const MIN_LIMIT = 16;

/** The last places go only to tenants that have fewer than as many. */
const RESERVED_SHARE = 0.1;

/**
 * Decides which calls are taken while more come than can be done. Past what a
 * process can do, a call that is taken only makes all others wait.
 *
 * The sign is that work waits for its turn: at no moment of an interval was it
 * sent within `TARGET_MS` (as in CoDel, RFC 8289). Then each tenant may have
 * fewer calls under way, until nothing waits that long; then slowly more again.
 * All tenants have the same limit, so one that sends little is not refused for
 * one that sends much. How long processors take is no sign: it is not our queue,
 * and calls that wait for them do not count towards the limit.
 */
export interface Admission {
  /** Whether a call of the tenant is taken. One that is must `leave`. */
  enter(tenant: string): boolean;
  leave(tenant: string): void;
  /** A call that was taken waits for another system, or does no more: then it is no work of ours. */
  pause(tenant: string): void;
  resume(tenant: string): void;
  /** How many calls are under way. */
  underWay(): number;
  /** A stage of the work: to be told how long the first item of each batch has waited. Milliseconds. */
  stage(): (waitedMs: number) => void;
}

export interface AdmissionOptions {
  /** Calls under way at once, of all tenants. */
  readonly maxCalls: number;
  readonly clock?: Clock;
}

export function createAdmission({ maxCalls, clock = systemClock }: AdmissionOptions): Admission {
  const reserved = Math.floor(maxCalls * RESERVED_SHARE);
  /** What each tenant has under way: all of it, and what works. */
  const callsOf = createCounts();
  const workingOf = createCounts();
  /** Of one tenant's calls. */
  let limit = Number.POSITIVE_INFINITY;
  let hasRefused = false;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  let congestedAtMs = Number.NEGATIVE_INFINITY;

  function decrease(): void {
    const most = workingOf.most();
    if (most <= limit) {
      // What was taken before has ended, and it was still too much.
      limit = Math.max(MIN_LIMIT, Math.floor(most * DECREASE));
    }
  }

  function increase(nowMs: number): void {
    if (nowMs - congestedAtMs > CALM_MS) {
      limit = Number.POSITIVE_INFINITY;
    } else if (hasRefused) {
      limit = Math.ceil(limit * INCREASE);
    }
    hasRefused = false;
  }

  function change(isCongested: boolean): void {
    const nowMs = clock.nowMs();
    if (isCongested) {
      congestedAtMs = nowMs;
    }
    if (nowMs - changedAtMs < INTERVAL_MS) {
      return;
    }
    if (isCongested) {
      decrease();
    } else if (nowMs - congestedAtMs > 2 * INTERVAL_MS) {
      increase(nowMs);
    } else {
      return;
    }
    changedAtMs = nowMs;
  }

  return {
    enter(tenant) {
      const calls = callsOf.total();
      const isFull =
        calls >= maxCalls || (calls >= maxCalls - reserved && callsOf.get(tenant) >= reserved);
      if (isFull || workingOf.get(tenant) >= limit) {
        hasRefused = true;
        return false;
      }
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
    underWay: callsOf.total,
    stage() {
      let sinceMs = clock.nowMs();
      let shortestMs = Number.POSITIVE_INFINITY;
      return (waitedMs) => {
        shortestMs = Math.min(shortestMs, waitedMs);
        const nowMs = clock.nowMs();
        if (nowMs - sinceMs >= INTERVAL_MS) {
          change(shortestMs > TARGET_MS);
          sinceMs = nowMs;
          shortestMs = Number.POSITIVE_INFINITY;
        }
      };
    },
  };
}

/** How many there are of each name; none of most. */
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
