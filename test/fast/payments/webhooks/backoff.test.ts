import { describe, expect, it } from "vitest";
import { MAX_FAILURES, retryDelayMs } from "../../../../src/payments/webhooks/backoff.js";

const HOUR_MS = 3_600_000;
const failures = Array.from({ length: MAX_FAILURES - 1 }, (_, index) => index + 1);

function delays(random: number): readonly number[] {
  return failures.map((count) => retryDelayMs(count, random) ?? Number.NaN);
}

describe("the delay after a failure", () => {
  it("grows from 5 s to 12 h at most", () => {
    expect(delays(0).slice(0, 4)).toEqual([5_000, 20_000, 80_000, 320_000]);
    expect(Math.max(...delays(0.999_999))).toBeLessThanOrEqual(12 * HOUR_MS);
    expect(delays(0)).toEqual([...delays(0)].sort((one, other) => one - other));
  });

  it("adds up to about three days", () => {
    const hours = [0, 1].map(
      (random) => delays(random).reduce((sum, delay) => sum + delay) / HOUR_MS,
    );
    expect(hours[0]).toBeGreaterThan(2.5 * 24);
    expect(hours[1]).toBeLessThan(3.5 * 24);
  });

  it("differs by a quarter, so that what failed together comes apart", () => {
    expect(retryDelayMs(1, 0.5)).toBe(5_625);
  });

  it("ends", () => {
    expect(retryDelayMs(MAX_FAILURES, 0)).toBeUndefined();
  });
});
