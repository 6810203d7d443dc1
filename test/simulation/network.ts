import type { Clock } from "../../src/idempotency/clock.js";
import type { Random } from "../support/random.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

/** Something that messages go to and come from. */
export interface Endpoint {
  readonly name: string;
  /** Lets a message in: at once, later, or never. */
  accept(callback: () => void): void;
  /** Asked before each message. False where there is nobody any more to send it. */
  maySend(): boolean;
}

export interface Caller extends Endpoint {
  readonly clock: Clock;
}

/** How messages fare. Probabilities are per message. */
export interface Weather {
  readonly loss: number;
  readonly duplicate: number;
  /** Takes up to `SLOWEST_MS` instead of a few milliseconds. */
  readonly slow: number;
}

export const FAIR_WEATHER: Weather = { loss: 0, duplicate: 0, slow: 0 };

/** How much longer than usual a slow message may take. Milliseconds. */
const SLOWEST_MS = 8_000;

const USUAL_MS = { least: 0.5, most: 20 };

/** No message is older than this when it arrives. Milliseconds. */
export const SLOWEST_MESSAGE_MS = USUAL_MS.most + SLOWEST_MS;

interface Route {
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** Whether something on the way may send it again, such as a proxy. A database's connection does not. */
  readonly mayBeRepeated?: boolean;
}

export interface Call<Result> extends Route {
  readonly from: Caller;
  readonly what: string;
  /** What it concerns, for the trace; without it, everything. */
  readonly about?: string;
  /** How long the caller waits, on its own clock. Milliseconds. */
  readonly timeoutMs: number;
  /** What the message does where it arrives, and what comes back. */
  readonly execute: () => Promise<Result>;
  /** For the trace. */
  readonly describe?: (result: Result) => string;
}

export interface Network {
  /**
   * Sends a request and waits for the reply. Rejects with what `execute` threw,
   * or if no reply comes in time; the request may arrive all the same, at any
   * later time, or twice.
   */
  call<Result>(call: Call<Result>): Promise<Result>;
  setWeather(weather: Weather): void;
  /** Loses every message between the two, both ways. */
  cut(one: string, other: string, durationMs: number): void;
  heal(): void;
}

export function createNetwork({
  scheduler,
  random,
  trace,
}: {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace;
}): Network {
  const cutUntilMs = new Map<string, number>();
  let weather = FAIR_WEATHER;

  function isLost(from: Endpoint, to: Endpoint): boolean {
    const untilMs = Math.max(
      cutUntilMs.get(linkOf(from.name, to.name)) ?? 0,
      cutUntilMs.get(linkOf(to.name, from.name)) ?? 0,
    );
    return random.chance(weather.loss) || scheduler.nowMs() < untilMs;
  }

  function delayMs(): number {
    const { least, most } = USUAL_MS;
    const usualMs = least + (most - least) * random.next() ** 2;
    return random.chance(weather.slow) ? usualMs + random.integer(0, SLOWEST_MS) : usualMs;
  }

  function send({ from, to, mayBeRepeated = false }: Route, deliver: () => void): void {
    if (!from.maySend() || isLost(from, to)) {
      return;
    }
    const copies = mayBeRepeated && random.chance(weather.duplicate) ? 2 : 1;
    for (let copy = 1; copy <= copies; copy += 1) {
      scheduler.after(delayMs(), () => to.accept(deliver));
    }
  }

  return {
    call({ what, about, timeoutMs, execute, describe = () => "", ...route }) {
      const { from, to } = route;
      const back = { ...route, from: to, to: from };
      return new Promise((resolve, reject) => {
        const settle = (outcome: string, result: () => void) => () => {
          cancelTimeout();
          trace.add(`${from.name} <- ${to.name} ${what} ${outcome}`, about);
          result();
        };
        const cancelTimeout = from.clock.setTimer(
          timeoutMs,
          settle("gives up", () => reject(new Error(`${what}: no reply`))),
        );
        send(route, () => {
          trace.add(`${from.name} -> ${to.name} ${what}`, about);
          execute().then(
            (value) => {
              const answer = settle(describe(value), () => resolve(value));
              send(back, answer);
            },
            (error: unknown) => {
              const failure = settle(String(error), () => reject(error));
              send(back, failure);
            },
          );
        });
      });
    },
    setWeather(next) {
      weather = next;
    },
    cut(one, other, durationMs) {
      trace.add(`cut: ${one} from ${other} for ${durationMs} ms`);
      cutUntilMs.set(linkOf(one, other), scheduler.nowMs() + durationMs);
    },
    heal: () => cutUntilMs.clear(),
  };
}

function linkOf(one: string, other: string): string {
  return `${one} - ${other}`;
}

/** A server that is always one and the same, and may be away for a while. */
export interface Server extends Endpoint {
  setAway(away: boolean): void;
}

export function createServer(name: string): Server {
  let away = false;
  return {
    name,
    accept(callback) {
      if (!away) {
        callback();
      }
    },
    maySend: () => true,
    setAway(next) {
      away = next;
    },
  };
}
