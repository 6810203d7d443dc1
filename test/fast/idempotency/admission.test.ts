import { describe, expect, it } from "vitest";
import { createAdmission } from "../../../src/idempotency/execution/admission.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";

const MAX_WORK_MS = 400;
const FIRST_LIMIT = 1_000;
const LEAST_LIMIT = 64;

/** After some calls that took as long as they take on a quiet machine. */
async function warm() {
  const under = underTest();
  await under.works(1, 200);
  return under;
}

function underTest({ maxCalls = 10_000, maxWorkMs = MAX_WORK_MS } = {}) {
  const clock = createManualClock();
  const admission = createAdmission({ maxCalls, maxWorkMs, clock });
  return {
    ...admission,
    clock,
    /** As many of a tenant's calls as are taken. */
    fill(tenant: string, most = maxCalls): number {
      let taken = 0;
      while (taken < most && admission.enter(tenant)) {
        taken += 1;
      }
      return taken;
    },
    leave(tenant: string, calls = 1) {
      for (let left = 0; left < calls; left += 1) {
        admission.leave(tenant);
      }
    },
    /** Calls come, and are worked on for as long. */
    async works(workMs: number, durationMs = workMs) {
      for (let passedMs = 0; passedMs < durationMs; passedMs += workMs) {
        const enteredAtMs = clock.nowMs();
        await clock.advance(workMs);
        admission.worked({ enteredAtMs, workMs });
      }
    },
  };
}

describe("calls of one tenant", () => {
  it("are taken up to a bound, of which the last tenth is for others", () => {
    const { fill, enter, leave } = underTest({ maxCalls: 100 });
    expect(fill("many")).toBe(90);
    expect(fill("one")).toBe(10);
    expect(enter("another")).toBe(false);
    leave("many");
    expect(enter("many")).toBe(false);
    expect(enter("another")).toBe(true);
  });

  it("are fewer once they are worked on for too long, by as much as it is too long", async () => {
    const { fill, leave, works } = await warm();
    expect(fill("many", 500)).toBe(500);
    await works(2 * MAX_WORK_MS);
    leave("many", 500);
    expect(fill("many")).toBe(250);
    expect(fill("one", 20)).toBe(20); // has no fewer than before
  });

  it("are fewer sooner where another tenant has to wait for them", async () => {
    const { fill, leave, works } = await warm();
    fill("many", 500);
    fill("one", 1);
    await works(MAX_WORK_MS / 2);
    leave("many", 500);
    expect(fill("many")).toBe(250);
  });

  it("are more again once they are worked on quickly", async () => {
    const { fill, leave, works } = await warm();
    fill("many", 500);
    await works(2 * MAX_WORK_MS);
    leave("many", 500);
    expect(fill("many")).toBe(250);
    await works(MAX_WORK_MS / 2);
    expect(fill("many")).toBe(50);
  });

  it("are not fewer for calls that came before the limit was what it is", async () => {
    const { fill, leave, works, worked } = await warm();
    fill("many", 500);
    await works(2 * MAX_WORK_MS);
    worked({ enteredAtMs: 0, workMs: 100 * MAX_WORK_MS });
    await works(1);
    leave("many", 500);
    expect(fill("many")).toBe(250);
  });

  it("are never fewer than a few", async () => {
    const { fill, leave, works } = await warm();
    for (let round = 0; round < 50; round += 1) {
      const taken = fill("many", 100);
      await works(10 * MAX_WORK_MS);
      leave("many", taken);
    }
    expect(fill("many")).toBe(LEAST_LIMIT);
  });

  it("are as many as at first once it was calm for long", async () => {
    const { fill, leave, works } = underTest();
    fill("many", 100);
    await works(3 * MAX_WORK_MS);
    leave("many", 100);
    await works(MAX_WORK_MS / 2, 11_000);
    expect(fill("many")).toBe(FIRST_LIMIT);
  });

  it("may be worked on for longer where it always takes long, as with a store far away", async () => {
    const { fill, leave, works } = underTest();
    fill("many", 500);
    await works(MAX_WORK_MS - 1);
    await works(2 * MAX_WORK_MS);
    leave("many", 500);
    expect(fill("many")).toBe(FIRST_LIMIT);
  });

  it("are not bounded by their work where no time is set for it", async () => {
    const { fill, works } = underTest({ maxWorkMs: Number.POSITIVE_INFINITY });
    fill("many", 500);
    await works(10_000, 60_000);
    expect(fill("many")).toBe(8_500);
  });
});

describe("calls that wait for another system", () => {
  it("are not at work", async () => {
    const { fill, pause, resume, leave } = underTest();
    expect(fill("many")).toBe(FIRST_LIMIT);
    for (let paused = 0; paused < 300; paused += 1) {
      pause("many");
    }
    expect(fill("many")).toBe(300);
    for (let resumed = 0; resumed < 300; resumed += 1) {
      resume("many");
    }
    leave("many", 300);
    expect(fill("many")).toBe(0); // all that may are at work
    leave("many", 10);
    expect(fill("many")).toBe(10);
  });

  it("take no place for good where one leaves before it is answered", () => {
    const { enter, pause, resume, leave, fill, underWay } = underTest();
    for (let round = 0; round < 100; round += 1) {
      enter("many");
      pause("many");
      leave("many");
      resume("many");
    }
    expect(underWay()).toBe(0);
    expect(fill("many")).toBe(FIRST_LIMIT);
  });
});

describe("a refused call", () => {
  it("is to come again the later, the more are refused for each that is taken", async () => {
    const { fill, refuses, retryDelayMs, works } = underTest();
    expect(retryDelayMs()).toBe(1_000);
    fill("many", FIRST_LIMIT);
    for (let refused = 0; refused < 5 * FIRST_LIMIT; refused += 1) {
      refuses("many");
    }
    await works(MAX_WORK_MS);
    expect(retryDelayMs()).toBe(4_000);
    await works(MAX_WORK_MS);
    expect(retryDelayMs()).toBe(1_000);
  });

  it("is expected only where as many are at work as any tenant may have", () => {
    const { fill, isTight, refuses } = underTest();
    fill("many", FIRST_LIMIT - 1);
    expect(isTight()).toBe(false);
    fill("one", 1);
    expect(isTight()).toBe(true);
    expect(refuses("one")).toBe(false);
  });
});
