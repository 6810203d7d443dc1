import { expect, it } from "vitest";
import type { Clock } from "../../../src/idempotency/clock.js";
import { untilSettled } from "../../../src/payments/settle.js";

/** A clock that jumps to the end of every wait, and notes how long each was. */
function jumpingClock() {
  let nowMs = 0;
  const waitsMs: number[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    setTimer(delayMs, callback) {
      waitsMs.push(delayMs);
      nowMs += delayMs;
      queueMicrotask(callback);
      return () => {};
    },
  };
  return { clock, waitsMs };
}

const { signal } = new AbortController();

it("looks again ever more rarely until there is something", async () => {
  const { clock, waitsMs } = jumpingClock();
  let looks = 0;
  const look = async () => (++looks === 8 ? "settled" : undefined);
  expect(await untilSettled(look, { clock, signal })).toBe("settled");
  expect(waitsMs).toEqual([10, 20, 40, 80, 160, 250, 250]);
});

it("gives up at its limit, and when nobody waits any more", async () => {
  const { clock } = jumpingClock();
  const never = async () => undefined;
  expect(await untilSettled(never, { clock, signal, limitMs: 1_000 })).toBeUndefined();
  expect(clock.nowMs()).toBeLessThan(1_500);
  const gone = AbortSignal.abort();
  expect(await untilSettled(never, { clock, signal: gone })).toBeUndefined();
});
