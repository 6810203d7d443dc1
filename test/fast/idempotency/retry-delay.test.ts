import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createUsualDurations,
  heldDelayMs,
  retryDelayMs,
} from "../../../src/idempotency/execution/retry-delay.js";

const anyDurationMs = fc.double({ min: 0, max: 1e9, noNaN: true });

describe("the delay that a duplicate is told", () => {
  const rows: [string, Parameters<typeof retryDelayMs>[0], number][] = [
    ["what usually remains", { usualMs: 1_000, elapsedMs: 300, leaseRemainingMs: 15_000 }, 700],
    [
      "as long again as has elapsed",
      { usualMs: 1_000, elapsedMs: 1_000, leaseRemainingMs: 15_000 },
      1_000,
    ],
    [
      "twice as long in all, each time",
      { usualMs: 1_000, elapsedMs: 4_000, leaseRemainingMs: 15_000 },
      4_000,
    ],
    [
      "at most what remains of the lease",
      { usualMs: 60_000, elapsedMs: 0, leaseRemainingMs: 9_000 },
      9_000,
    ],
    [
      "at least 50 ms just before the usual end",
      { usualMs: 1_000, elapsedMs: 999, leaseRemainingMs: 15_000 },
      50,
    ],
    [
      "at least 50 ms where nothing is known",
      { usualMs: 0, elapsedMs: 0, leaseRemainingMs: 15_000 },
      50,
    ],
    [
      "at least 50 ms after the lease",
      { usualMs: 1_000, elapsedMs: 0, leaseRemainingMs: -400 },
      50,
    ],
  ];
  it.each(rows)("is %s", (_, inFlight, expected) => {
    expect(retryDelayMs(inFlight)).toBe(expected);
  });

  it("is always a delay that a client can wait", () => {
    fc.assert(
      fc.property(
        anyDurationMs,
        anyDurationMs,
        anyDurationMs,
        (usualMs, elapsedMs, leaseRemainingMs) => {
          const delayMs = retryDelayMs({ usualMs, elapsedMs, leaseRemainingMs });
          expect(delayMs).toBeGreaterThanOrEqual(50);
          expect(delayMs).toBeLessThanOrEqual(Math.max(50, leaseRemainingMs));
        },
      ),
    );
  });
});

describe("the delay that a caller of a held key is told", () => {
  const HOUR_MS = 3_600_000;
  it.each([
    ["the lease at first", { heldMs: 0, leaseMs: 15_000 }, 15_000],
    ["as long again as it has been held", { heldMs: 40_000, leaseMs: 15_000 }, 40_000],
    ["at most an hour", { heldMs: 24 * HOUR_MS, leaseMs: 15_000 }, HOUR_MS],
    ["at most an hour, whatever the lease", { heldMs: 0, leaseMs: 2 * HOUR_MS }, HOUR_MS],
    ["at least 50 ms", { heldMs: 0, leaseMs: 1 }, 50],
  ])("is %s", (_, key, expected) => {
    expect(heldDelayMs(key)).toBe(expected);
  });
});

describe("how long an operation usually takes", () => {
  it("is nothing while nothing is known, then the first duration", () => {
    const durations = createUsualDurations();
    expect(durations.usualMs("a")).toBe(0);
    durations.record("a", 400);
    expect(durations.usualMs("a")).toBe(400);
    expect(durations.usualMs("b")).toBe(0);
  });

  it("follows a change within about ten calls and stays between what it saw", () => {
    const durations = createUsualDurations();
    durations.record("a", 100);
    for (let call = 0; call < 10; call += 1) {
      durations.record("a", 1_000);
    }
    expect(durations.usualMs("a")).toBeGreaterThan(850);
    expect(durations.usualMs("a")).toBeLessThan(1_000);
  });
});
