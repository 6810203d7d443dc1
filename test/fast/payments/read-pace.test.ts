import { beforeEach, describe, expect, it } from "vitest";
import { createReadPace, type ReadPace } from "../../../src/payments/read-pace.js";
import { createManualClock, type ManualClock } from "../../support/idempotency/manual-clock.js";

/** What making the answer of a page takes, by its rows. Milliseconds. */
const ROW_MS = 0.005;

/** The part of the time that a kind of pages may take, with a margin for the first ones. */
const SHARE = 0.06;

const MEASURED_SECONDS = 60;

let clock: ManualClock;
let pace: ReadPace;
/** The time that answers have taken, three times what is measured of it. */
let spentMs: number;
beforeEach(() => {
  clock = createManualClock();
  spentMs = 0;
  pace = createReadPace({ clock, now: () => clock.nowMs() + spentMs / 3 });
});

const forever = new AbortController().signal;
const page = (size: number, signal = forever) =>
  pace.page({
    size,
    signal,
    read: async () => size,
    answer(rows) {
      spentMs += 3 * rows * ROW_MS;
      return rows;
    },
  });

/** Counts the pages that readers get, each asking for one after the other. */
function startReaders(readers: number, size: number) {
  const counted = { pages: 0 };
  const controller = new AbortController();
  for (let reader = 0; reader < readers; reader += 1) {
    const read = async () => {
      while (!controller.signal.aborted) {
        await page(size, controller.signal);
        counted.pages += 1;
      }
    };
    read().catch(() => {}); // it was told to stop
  }
  return { counted, stop: () => controller.abort() };
}

/** Payments are made all the time. */
async function payFor(seconds: number): Promise<void> {
  for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs += 10) {
    await pace.pay(async () => {});
    await clock.advance(10);
  }
}

describe("pages", () => {
  it("are read at once where no payment is made", async () => {
    await Promise.all(Array.from({ length: 100 }, () => page(1_000)));
    expect(clock.waitingTimers()).toBe(0);
    expect(clock.nowMs()).toBe(0);
  });

  it("take a small part of the time while payments are made, whoever asks for them", async () => {
    await pace.pay(async () => {});
    const { counted, stop } = startReaders(40, 1_000);
    await payFor(MEASURED_SECONDS);
    stop();
    expect(counted.pages).toBeGreaterThan(100);
    expect(spentMs / (MEASURED_SECONDS * 1_000)).toBeLessThan(SHARE);
  });

  it("are not held up by larger ones", async () => {
    await pace.pay(async () => {});
    const large = startReaders(40, 1_000);
    const small = startReaders(1, 50);
    await payFor(10);
    large.stop();
    small.stop();
    expect(small.counted.pages).toBeGreaterThan(100);
  });

  it("are not read for callers that have left", async () => {
    await pace.pay(async () => {});
    await page(1_000);
    const controller = new AbortController();
    const waiting = page(1_000, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ description: { reason: "OVERLOADED" } });
    expect(spentMs).toBeCloseTo(3 * 1_000 * ROW_MS);
  });

  it("come at once again when the payments have ended", async () => {
    await pace.pay(async () => {});
    const pages = Promise.all(Array.from({ length: 40 }, () => page(1_000)));
    await clock.advance(300);
    await clock.advance(50);
    await expect(pages).resolves.toHaveLength(40);
  });
});
