import { describe, expect, it } from "vitest";
import { RETRY_DEFAULTS, retrySettings } from "../../../clients/typescript/src/options.js";
import { decide, delayMs, type Ending } from "../../../clients/typescript/src/retry.js";
import { Code } from "../../../src/idempotency/answers/code.js";

const ALMOST_ONE = 1 - Number.EPSILON;

describe("an answer that is retried", () => {
  it.each<[string, Ending, number | undefined]>([
    ["ABORTED", { code: Code.ABORTED }, undefined],
    ["UNAVAILABLE", { code: Code.UNAVAILABLE }, undefined],
    ["CANCELLED by a connection that broke", { code: Code.CANCELLED }, undefined],
    ["any code with a pushback", { code: Code.RESOURCE_EXHAUSTED, pushback: "200" }, 200],
    ["any code with RetryInfo", { code: Code.RESOURCE_EXHAUSTED, retryInfoMs: 300 }, 300],
    ["a pushback before RetryInfo", { code: Code.ABORTED, pushback: "7", retryInfoMs: 300 }, 7],
    ["a pushback of 0", { code: Code.ABORTED, pushback: "0" }, 0],
    ["RetryInfo of the past", { code: Code.ABORTED, retryInfoMs: -5 }, 0],
  ])("is %s", (_name, ending, serverDelayMs) => {
    expect(decide(ending)).toEqual({
      kind: "retry",
      ...(serverDelayMs === undefined ? {} : { serverDelayMs }),
    });
  });
});

describe("an answer that is final", () => {
  it.each<[string, Ending]>([
    ["OK", { code: Code.OK }],
    ["a pushback of -1, whatever the code", { code: Code.UNAVAILABLE, pushback: "-1" }],
    ["a pushback that is no number", { code: Code.UNAVAILABLE, pushback: "soon" }],
    ["a pushback of -1 against RetryInfo", { code: Code.ABORTED, pushback: "-1", retryInfoMs: 5 }],
    ...Object.entries(Code)
      .filter(([name]) => !["OK", "ABORTED", "UNAVAILABLE", "CANCELLED"].includes(name))
      .map(([name, code]): [string, Ending] => [`${name} without a delay`, { code }]),
  ])("is %s", (_name, ending) => {
    expect(decide(ending)).toEqual({ kind: "final" });
  });
});

describe("the wait before a retry", () => {
  it.each([
    [0, 100],
    [1, 200],
    [5, 3_200],
    [6, 5_000],
    [2_000, 5_000],
  ])("after %i retries lies between 0 and %i ms", (retriesBefore, mostMs) => {
    expect(delayMs({ retriesBefore }, RETRY_DEFAULTS, () => 0)).toBe(0);
    const longestMs = delayMs({ retriesBefore }, RETRY_DEFAULTS, () => ALMOST_ONE);
    expect(longestMs).toBeCloseTo(mostMs, 6);
    expect(longestMs).toBeLessThanOrEqual(mostMs);
  });

  it("is the server's delay and up to the initial backoff more, however many retries", () => {
    const retry = { serverDelayMs: 700, retriesBefore: 9 };
    expect(delayMs(retry, RETRY_DEFAULTS, () => 0)).toBe(700);
    expect(delayMs(retry, RETRY_DEFAULTS, () => 0.5)).toBe(750);
    expect(delayMs(retry, RETRY_DEFAULTS, () => ALMOST_ONE)).toBeCloseTo(800, 6);
  });

  it("is never so long that a timer would fire at once", () => {
    const retry = { serverDelayMs: 1e15, retriesBefore: 0 };
    expect(delayMs(retry, RETRY_DEFAULTS, () => 0)).toBe(2 ** 31 - 1);
  });
});

describe("the settings", () => {
  it("have the documented defaults", () => {
    expect(retrySettings({})).toEqual({
      maxAttempts: 10,
      initialBackoffMs: 100,
      maxBackoffMs: 5_000,
    });
  });

  it.each([
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { initialBackoffMs: -1 },
    { maxBackoffMs: Number.NaN },
  ])("refuse %o, and name what is wrong", (options) => {
    expect(() => retrySettings(options)).toThrow(Object.keys(options)[0]);
  });
});
