import type { Clock } from "../../src/idempotency/clock.js";
import type { ReadMoment } from "../../src/payments/key-window.js";
import type { Endpoint } from "./network.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** One life of a process: it may sleep for a while, and once it has crashed it never does anything again. */
export interface Host extends Endpoint {
  /** Monotonic, with an origin and a speed of its own. */
  readonly clock: Clock;
  /** The same clock, which may stand still in a pause, and one that people set. */
  readonly readMoment: ReadMoment;
  isAlive(): boolean;
  crash(): void;
  /** SIGSTOP: everything that would happen here happens after the pause. */
  pause(durationMs: number): void;
  resume(): void;
  setWallClock(byMs: number): void;
}

/** `crash_before`: the message does not leave; in the other cases it does. */
export type Strike = "crash_before" | "crash_after" | "sleep";

export interface HostOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly clockOffsetMs?: number;
  /** How fast its clock goes. */
  readonly clockRate?: number;
  /** Whether its clock stands still in a pause, as that of a machine that sleeps may. */
  readonly standsStill?: boolean;
  /** What its wall clock says. Milliseconds since the epoch. */
  readonly wallMs: () => number;
  /** How long a strike lets it sleep: long enough for another owner. Milliseconds. */
  readonly strikePauseMs: number;
  /** What strikes it at its n-th message: between two steps that no timer separates. */
  readonly strikeAt?: (message: number) => Strike | undefined;
  readonly onCrash?: () => void;
}

export function createHost(options: HostOptions): Host {
  const { name, scheduler, trace, onCrash = () => {} } = options;
  const { clockOffsetMs = 0, clockRate = 1, strikeAt = () => undefined } = options;
  const { standsStill = false } = options;
  const nowMs = () => scheduler.nowMs() * clockRate + clockOffsetMs;
  let alive = true;
  let pausedAtMs = 0;
  let stoodStillMs = 0;
  let wallOffsetMs = 0;
  let pausedUntilMs = 0;
  let messages = 0;
  let waiting: (() => void)[] = [];

  const isPaused = () => scheduler.nowMs() < pausedUntilMs;
  const pausedForMs = () => (scheduler.nowMs() - pausedAtMs) * clockRate;

  function accept(callback: () => void): void {
    if (!alive) {
      return;
    }
    if (isPaused()) {
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
    pausedAtMs = isPaused() ? pausedAtMs : scheduler.nowMs();
    pausedUntilMs = scheduler.nowMs() + durationMs;
    scheduler.after(durationMs, () => {
      if (scheduler.nowMs() >= pausedUntilMs) {
        resume();
      }
    });
  }

  function resume(): void {
    if (pausedUntilMs > 0) {
      stoodStillMs += standsStill ? pausedForMs() : 0;
    }
    pausedUntilMs = 0;
    for (const callback of waiting.splice(0)) {
      scheduler.after(0, () => accept(callback));
    }
  }

  return {
    name,
    clock: {
      nowMs,
      setTimer: (delayMs, callback) => scheduler.after(delayMs / clockRate, () => accept(callback)),
    },
    readMoment: () => ({
      monotonicMs: nowMs() - stoodStillMs - (standsStill && isPaused() ? pausedForMs() : 0),
      wallMs: options.wallMs() + wallOffsetMs,
    }),
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
        pause(options.strikePauseMs);
      }
      return sends;
    },
    crash,
    pause,
    resume,
    setWallClock(byMs) {
      wallOffsetMs += byMs;
    },
  };
}
