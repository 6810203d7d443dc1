import { expect, it } from "vitest";
import { type Admission, createAdmission } from "../../../src/idempotency/execution/admission.js";
import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { callOf, gate, ok, rerunPolicy } from "../../support/idempotency/calls.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";

/** An executor whose calls at work, and how long they were worked on, can be seen. */
function underTest() {
  const clock = createManualClock();
  const admission = createAdmission({ maxCalls: 100, clock });
  const workedMs: number[] = [];
  let atWork = 0;
  const seen: Admission = {
    ...admission,
    enter(tenant) {
      atWork += 1;
      return admission.enter(tenant);
    },
    leave(tenant) {
      atWork -= 1;
      admission.leave(tenant);
    },
    pause(tenant) {
      atWork -= 1;
      admission.pause(tenant);
    },
    resume(tenant) {
      atWork += 1;
      admission.resume(tenant);
    },
    worked(call) {
      workedMs.push(call.workMs);
      admission.worked(call);
    },
  };
  const executor = createExecutor({ store: createMemoryStore({ clock }), admission: seen, clock });
  return { executor, clock, workedMs, atWork: () => atWork };
}

it("a call that waits for another system is not at work", async () => {
  const { executor, clock, workedMs, atWork } = underTest();
  const answered = gate<void>();
  const reply = executor.execute(
    callOf({
      policy: rerunPolicy,
      async run({ elsewhere }) {
        await elsewhere(() => answered.opened);
        return ok();
      },
    }),
  );
  await clock.advance(3_000);
  expect(atWork()).toBe(0);
  answered.open();
  await reply;
  expect(workedMs).toEqual([0]);
  expect(atWork()).toBe(0);
});

it("a duplicate that waits for the answer is not at work", async () => {
  const { executor, clock, workedMs, atWork } = underTest();
  const mayEnd = gate<void>();
  const call = callOf({
    policy: { ...rerunPolicy, inFlightWaitMs: 10_000 },
    async run() {
      await mayEnd.opened;
      return ok();
    },
  });
  const replies = [executor.execute(call), executor.execute(call)];
  await clock.advance(2_000);
  expect(atWork()).toBe(1);
  mayEnd.open();
  await clock.advance(10_000);
  const [first, second] = await Promise.all(replies);
  expect(second).toMatchObject({ replayed: true, code: first?.code });
  expect(workedMs).toEqual([2_000]);
  expect(atWork()).toBe(0);
});
