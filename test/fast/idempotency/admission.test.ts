import { describe, expect, it } from "vitest";
import { createAdmission } from "../../../src/idempotency/admission.js";
import { createManualClock } from "../../support/idempotency/manual-clock.js";

const LONG_WAIT_MS = 1_000;
const SHORT_WAIT_MS = 1;

function underTest(maxCalls = 10_000) {
  const clock = createManualClock();
  const admission = createAdmission({ maxCalls, clock });
  const stage = admission.stage();
  return {
    ...admission,
    clock,
    stage,
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
    /** A second of work whose batches have waited as long. */
    async works(waitedMs: number) {
      for (let batches = 0; batches < 20; batches += 1) {
        await clock.advance(50);
        stage(waitedMs);
      }
    },
  };
}

describe("calls of one tenant", () => {
  it("are taken up to a bound, of which the last tenth is for others", () => {
    const { fill, enter, leave } = underTest(100);
    expect(fill("many")).toBe(90);
    expect(fill("one")).toBe(10);
    expect(enter("another")).toBe(false);
    leave("many");
    expect(enter("many")).toBe(false);
    expect(enter("another")).toBe(true);
  });

  it("are fewer while work waits for its turn, and more again afterwards", async () => {
    const { fill, leave, works, underWay } = underTest();
    expect(fill("many", 1_000)).toBe(1_000);
    await works(LONG_WAIT_MS);
    expect(fill("many")).toBe(0);
    leave("many", 1_000);
    expect(fill("many")).toBe(700);
    expect(fill("one", 20)).toBe(20); // has no fewer than before
    await works(SHORT_WAIT_MS);
    expect(fill("many")).toBeGreaterThan(50);
    expect(underWay()).toBeLessThan(1_000);
  });

  it("are never fewer than a few", async () => {
    const { fill, leave, works } = underTest();
    for (let round = 0; round < 50; round += 1) {
      leave("many", fill("many", 100));
      await works(LONG_WAIT_MS);
    }
    expect(fill("many")).toBe(16);
  });

  it("are not fewer for those that wait for another system", async () => {
    const { fill, pause, resume, leave, works } = underTest();
    fill("many", 1_000);
    for (let paused = 0; paused < 980; paused += 1) {
      pause("many");
    }
    await works(LONG_WAIT_MS);
    expect(fill("many")).toBe(0); // 20 work, 16 may
    leave("many", 10);
    expect(fill("many")).toBe(6);
    for (let resumed = 0; resumed < 980; resumed += 1) {
      resume("many");
    }
    leave("many", 996);
    expect(fill("many")).toBe(16);
  });

  it("take no place for good where one leaves before another system has answered", async () => {
    const { enter, pause, resume, leave, works, fill } = underTest();
    for (let round = 0; round < 100; round += 1) {
      enter("many");
      pause("many");
      leave("many");
      resume("many");
    }
    await works(LONG_WAIT_MS);
    expect(fill("many")).toBe(16);
  });

  it("are bounded no more once nothing has waited for long", async () => {
    const { fill, leave, works } = underTest();
    fill("many", 100);
    await works(LONG_WAIT_MS);
    leave("many", 100);
    for (let seconds = 0; seconds < 11; seconds += 1) {
      await works(SHORT_WAIT_MS);
    }
    expect(fill("many")).toBe(9_000);
  });

  it("are not fewer for one batch that has waited, as while the process stood still", async () => {
    const { fill, stage, clock } = underTest();
    fill("many", 1_000);
    for (let batches = 0; batches < 20; batches += 1) {
      await clock.advance(50);
      stage(SHORT_WAIT_MS);
      stage(LONG_WAIT_MS);
    }
    expect(fill("many")).toBe(8_000);
  });
});
