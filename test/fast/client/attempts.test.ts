import { describe, expect, it } from "vitest";
import { type Attempts, runAttempts } from "../../../clients/typescript/src/attempts.js";
import { RETRY_DEFAULTS } from "../../../clients/typescript/src/options.js";
import type { Ending } from "../../../clients/typescript/src/retry.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { createManualClock, type ManualClock } from "../../support/idempotency/manual-clock.js";

const OK: Ending = { code: Code.OK };
const UNAVAILABLE: Ending = { code: Code.UNAVAILABLE };
const inProgress = (delayMs: number): Ending => ({ code: Code.ABORTED, pushback: `${delayMs}` });

interface Run {
  readonly clock: ManualClock;
  readonly sentAtMs: readonly number[];
  readonly result: ReturnType<typeof runAttempts<Ending>>;
}

/** Runs a call whose attempts get these answers, the last one for ever; each wait is the longest. */
function run(answers: readonly Ending[], more: Partial<Attempts<Ending>> = {}): Run {
  const clock = createManualClock();
  const sentAtMs: number[] = [];
  const result = runAttempts<Ending>({
    async send() {
      sentAtMs.push(clock.nowMs());
      return answers[Math.min(sentAtMs.length, answers.length) - 1] ?? OK;
    },
    endingOf: (answer) => answer,
    settings: RETRY_DEFAULTS,
    signal: new AbortController().signal,
    deadlineMs: Number.POSITIVE_INFINITY,
    environment: { clock, random: () => 1 },
    ...more,
  });
  return { clock, sentAtMs, result };
}

describe("a call", () => {
  it("ends with its first answer if that is final", async () => {
    const { result } = run([OK]);
    expect(await result).toEqual({ attempts: 1, answer: OK });
  });

  it("waits longer and longer, at most the maximum backoff", async () => {
    const { clock, sentAtMs, result } = run([UNAVAILABLE]);
    await clock.advance(60_000);
    expect(sentAtMs).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300, 21_300]);
    expect(await result).toEqual({ attempts: 10, answer: UNAVAILABLE });
  });

  it("waits as long as the server says, and no longer than the initial backoff more", async () => {
    const { clock, sentAtMs, result } = run([inProgress(150), inProgress(1_000), OK]);
    await clock.advance(5_000);
    expect(sentAtMs).toEqual([0, 250, 1_350]);
    expect(await result).toEqual({ attempts: 3, answer: OK });
  });

  it("returns the last answer at once if the next attempt would pass the deadline", async () => {
    const { clock, sentAtMs, result } = run([inProgress(100), inProgress(900), OK], {
      deadlineMs: 1_000,
    });
    await clock.advance(200);
    expect(await result).toEqual({ attempts: 2, answer: inProgress(900) });
    expect(sentAtMs).toEqual([0, 200]);
    expect(clock.waitingTimers()).toBe(0);
  });

  it("ends its wait when the caller cancels, and sends nothing more", async () => {
    const cancellation = new AbortController();
    const { clock, sentAtMs, result } = run([inProgress(30_000)], { signal: cancellation.signal });
    await clock.advance(1_000);
    cancellation.abort();
    expect(await result).toEqual({ attempts: 1 });
    expect(sentAtMs).toEqual([0]);
    expect(clock.waitingTimers()).toBe(0);
  });

  it("does not retry what ended because the caller cancelled", async () => {
    const cancellation = new AbortController();
    const { result } = run([], {
      signal: cancellation.signal,
      async send() {
        cancellation.abort();
        return { code: Code.CANCELLED };
      },
    });
    expect(await result).toEqual({ attempts: 1, answer: { code: Code.CANCELLED } });
  });

  it("is not sent if the caller has cancelled before", async () => {
    const { sentAtMs, result } = run([OK], { signal: AbortSignal.abort() });
    expect(await result).toEqual({ attempts: 0 });
    expect(sentAtMs).toEqual([]);
  });
});
