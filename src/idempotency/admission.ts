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
 * one that sends much. How long processors take is no sign: it is not our queue.
 */
export interface Admission {
  /** Whether a call of the tenant is taken. One that is must `leave`. */
  enter(tenant: string): boolean;
  leave(tenant: string): void;
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
  const callsOf = new Map<string, number>();
  let calls = 0;
  /** Of one tenant's calls. */
  let limit = Number.POSITIVE_INFINITY;
  let hasRefused = false;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  let congestedAtMs = Number.NEGATIVE_INFINITY;

  function decrease(): void {
    const most = Math.max(...callsOf.values(), 0);
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
      const own = callsOf.get(tenant) ?? 0;
      const isFull = calls >= maxCalls || (calls >= maxCalls - reserved && own >= reserved);
      if (isFull || own >= limit) {
        hasRefused = true;
        return false;
      }
      calls += 1;
      callsOf.set(tenant, own + 1);
      return true;
    },
    leave(tenant) {
      calls -= 1;
      const own = (callsOf.get(tenant) ?? 0) - 1;
      if (own > 0) {
        callsOf.set(tenant, own);
      } else {
        callsOf.delete(tenant);
      }
    },
    underWay: () => calls,
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
