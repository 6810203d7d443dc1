import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { Final, NotExecuted, Parked } from "../../../src/idempotency/answers/errors.js";
import type { Reply } from "../../../src/idempotency/answers/reply.js";
import type { Run } from "../../../src/idempotency/execution/attempt.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import {
  callError,
  callOf,
  describeError,
  holdPolicy,
  LEASE_MS,
  ok,
  rerunPolicy,
} from "../../support/idempotency/calls.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";
import { probe } from "../../support/idempotency/store-probe.js";

const endings = {
  answers: async () => ok(),
  "fails for good": async () => Promise.reject(new Final(describeError(Code.INTERNAL))),
  "is refused": async () => Promise.reject(new NotExecuted(describeError(Code.ABORTED))),
  "does not know": async () => Promise.reject(new Error("no reply")),
  "is not found": async () => Promise.reject(callError(Code.NOT_FOUND)),
  parks: async () => Promise.reject(new Parked("by hand")),
} satisfies Record<string, () => ReturnType<Run<never>>>;
type Ending = keyof typeof endings;

/** How long a run lasts, how it ends, and what becomes of the store's calls around it. */
interface Step {
  readonly startAfterMs: number;
  readonly durationMs: number;
  readonly ending: Ending;
  readonly lost: "claim" | "extend" | "complete" | "release" | "suspend" | "nothing";
  readonly loss: "request" | "reply";
  readonly losses: number;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  startAfterMs: fc.constantFrom(0, 0, 0, 1, 60, 150, 5_000, 20_000),
  durationMs: fc.constantFrom(0, 1, 100, 4_000, 16_000, 70_000),
  ending: fc.constantFrom(...(Object.keys(endings) as Ending[])),
  lost: fc.constantFrom("nothing", "nothing", "claim", "extend", "complete", "release", "suspend"),
  loss: fc.constantFrom("request", "reply"),
  losses: fc.constantFrom(1, 3, 8),
});

describe("any number of duplicates, however they interleave and whatever is lost", () => {
  it("run nothing once an outcome is final, share one answer, and never run under one token twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 2, maxLength: 20 }),
        fc.constantFrom(holdPolicy, rerunPolicy),
        fc.constantFrom(0, 10_000),
        async (steps, base, inFlightWaitMs) => {
          const policy = { ...base, inFlightWaitMs };
          const clock = createManualClock();
          const tap = probe(createMemoryStore({ clock }));
          const executors = [1, 2].map(() => createExecutor({ store: tap.store, clock }));
          const startedAfterFinal: string[] = [];
          const tokens: bigint[] = [];
          const finalReplies: Reply[] = [];
          const replies: Promise<Reply>[] = [];

          for (const [index, step] of steps.entries()) {
            await clock.advance(step.startAfterMs);
            if (step.lost !== "nothing") {
              tap.lose(step.lost, step.loss, step.losses);
            }
            const call = callOf({
              key: "the one key",
              policy,
              run: async (execution) => {
                tokens.push(execution.fencingToken);
                if (finalReplies.length > 0) {
                  startedAfterFinal.push(step.ending);
                }
                await new Promise<void>((resolve) => clock.setTimer(step.durationMs, resolve));
                return endings[step.ending]();
              },
            });
            const executor = executors[index % 2];
            const reply = executor?.execute(call).then((answer) => {
              // A final answer is an OK, or an error that is or will be replayed.
              if (answer.replayed || answer.code === Code.OK) {
                finalReplies.push(answer);
              }
              return answer;
            });
            if (reply !== undefined) {
              replies.push(reply);
            }
          }
          await clock.advance(10 * LEASE_MS);
          await Promise.all(replies); // none rejects, none hangs

          expect(startedAfterFinal).toEqual([]);
          expect(new Set(tokens).size).toBe(tokens.length);
          const answers = finalReplies.map(({ code, body }) => `${code} ${Buffer.from(body)}`);
          expect(new Set(answers).size).toBeLessThanOrEqual(1);
          expect(clock.waitingTimers()).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  it("where a rerun is not allowed, run the handler again only after it vouched that nothing happened", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 2, maxLength: 20 }), async (steps) => {
        const clock = createManualClock();
        const tap = probe(createMemoryStore({ clock }));
        const executor = createExecutor({ store: tap.store, clock });
        let mayHaveActed = 0;
        const overlapping: number[] = [];
        const replies: Promise<Reply>[] = [];
        for (const step of steps) {
          await clock.advance(step.startAfterMs);
          if (step.lost !== "nothing") {
            tap.lose(step.lost, step.loss, step.losses);
          }
          replies.push(
            executor.execute(
              callOf({
                key: "the one key",
                run: async () => {
                  overlapping.push(mayHaveActed);
                  mayHaveActed += 1;
                  await new Promise<void>((resolve) => clock.setTimer(step.durationMs, resolve));
                  if (step.ending === "is refused") {
                    mayHaveActed -= 1;
                  }
                  return endings[step.ending]();
                },
              }),
            ),
          );
        }
        await clock.advance(10 * LEASE_MS);
        await Promise.all(replies);
        expect(overlapping.filter((count) => count > 0)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
