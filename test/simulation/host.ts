import type { Clock } from "../../src/idempotency/clock.js";
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

export interface HostOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly clockOffsetMs?: number;
  /** How fast its clock goes. */
  readonly clockRate?: number;
  /** kill -9 at its n-th message: between two steps that no timer separates. */
  readonly crashAtMessage?: { readonly count: number; readonly when: "before" | "after" };
  readonly onCrash?: () => void;
}

export function createHost(options: HostOptions): Host {
  const { name, scheduler, trace, crashAtMessage, onCrash = () => {} } = options;
  const { clockOffsetMs = 0, clockRate = 1 } = options;
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
      const crashesNow = messages === crashAtMessage?.count;
      if (crashesNow && crashAtMessage.when === "before") {
        crash();
      }
      const sends = alive;
      if (crashesNow) {
        crash();
      }
      return sends;
    },
    crash,
    pause(durationMs) {
      if (alive) {
        trace.add(`${name} sleeps for ${durationMs} ms`);
        pausedUntilMs = scheduler.nowMs() + durationMs;
        scheduler.after(durationMs, () => {
          if (scheduler.nowMs() >= pausedUntilMs) {
            resume();
          }
        });
      }
    },
    resume,
  };
}
