import type { Clock } from "../../src/idempotency/clock.js";
import { LEASE_MS } from "./calls.js";
import type { Endpoint } from "./network.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** One life of a process: it may sleep for a while, and once it has crashed it never does anything again. */
export interface Host extends Endpoint {
  /** Monotonic, with an origin and a speed of its own. */
  readonly clock: Clock;
  isAlive(): boolean;
  crash(): void;
  /** SIGSTOP: everything that would happen here happens after the pause. */
  pause(durationMs: number): void;
  resume(): void;
}

/** `crash_before`: the message does not leave; in the other cases it does. */
export type Strike = "crash_before" | "crash_after" | "sleep";

/** Long enough for another owner. Milliseconds. */
const STRIKE_PAUSE_MS = 2 * LEASE_MS;

export interface HostOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly clockOffsetMs?: number;
  /** How fast its clock goes. */
  readonly clockRate?: number;
  /** What strikes it at its n-th message: between two steps that no timer separates. */
  readonly strikeAt?: (message: number) => Strike | undefined;
  readonly onCrash?: () => void;
}

export function createHost(options: HostOptions): Host {
  const { name, scheduler, trace, onCrash = () => {} } = options;
  const { clockOffsetMs = 0, clockRate = 1, strikeAt = () => undefined } = options;
  let alive = true;
  let pausedUntilMs = 0;
  let messages = 0;
  let waiting: (() => void)[] = [];

  function accept(callback: () => void): void {
    if (!alive) {
      return;
    }
    if (scheduler.nowMs() < pausedUntilMs) {
      waiting.push(callback);
    } else {
      callback();
    }
  }

  function crash(): void {
    if (alive) {
      alive = false;
      waiting = [];
      trace.add(`${name} crashes`);
      onCrash();
    }
  }

  function pause(durationMs: number): void {
    if (!alive) {
      return;
    }
    trace.add(`${name} sleeps for ${durationMs} ms`);
    pausedUntilMs = scheduler.nowMs() + durationMs;
    scheduler.after(durationMs, () => {
      if (scheduler.nowMs() >= pausedUntilMs) {
        resume();
      }
    });
  }

  function resume(): void {
    pausedUntilMs = 0;
    for (const callback of waiting.splice(0)) {
      scheduler.after(0, () => accept(callback));
    }
  }

  return {
    name,
    clock: {
      nowMs: () => scheduler.nowMs() * clockRate + clockOffsetMs,
      setTimer: (delayMs, callback) => scheduler.after(delayMs / clockRate, () => accept(callback)),
    },
    accept,
    isAlive: () => alive,
    maySend() {
      messages += 1;
      const strike = strikeAt(messages);
      if (strike === "crash_before") {
        crash();
      }
      const sends = alive;
      if (strike === "crash_after") {
        crash();
      } else if (strike === "sleep") {
        pause(STRIKE_PAUSE_MS);
      }
      return sends;
    },
    crash,
    pause,
    resume,
  };
}
