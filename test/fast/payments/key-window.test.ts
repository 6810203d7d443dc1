import { describe, expect, it } from "vitest";
import {
  beginTimeOf,
  createKeyWindow,
  type Moment,
  sendableMs,
} from "../../../src/payments/key-window.js";

const WINDOW_MS = 100_000;
const LONGEST_CALL_MS = 10_000;
/** The window less 2 % for clocks and the longest call. */
const OPEN_MS = 88_000;

function windowAt(now: Moment) {
  return createKeyWindow({
    windowMs: WINDOW_MS,
    longestCallMs: LONGEST_CALL_MS,
    readMoment: () => now,
  });
}

const START: Moment = { monotonicMs: 5_000, wallMs: 1_000_000 };

function later(monotonicMs: number, wallMs = monotonicMs): Moment {
  return { monotonicMs: START.monotonicMs + monotonicMs, wallMs: START.wallMs + wallMs };
}

describe("the window for a processor key", () => {
  it("ends before a call could arrive that the processor does not recognise any more", () => {
    const isOpen = (begunAgoMs: number) => windowAt(START).isOpen({ begunAgoMs, readAt: START });
    expect(isOpen(0)).toBe(true);
    expect(isOpen(OPEN_MS)).toBe(true);
    expect(isOpen(OPEN_MS + 1)).toBe(false);
  });

  it("goes on while its process sleeps", () => {
    const age = { begunAgoMs: 80_000, readAt: START };
    expect(windowAt(later(8_000)).isOpen(age)).toBe(true);
    expect(windowAt(later(8_001)).isOpen(age)).toBe(false);
  });

  it("goes by whichever clock says more: one may stand still, or be set back", () => {
    const age = { begunAgoMs: 0, readAt: START };
    expect(windowAt(later(0, OPEN_MS + 1)).isOpen(age)).toBe(false);
    expect(windowAt(later(OPEN_MS + 1, -3_600_000)).isOpen(age)).toBe(false);
  });

  it("has ended where all clocks were set back past the beginning: nothing tells its age", () => {
    const isOpen = (begunAgoMs: number) => windowAt(START).isOpen({ begunAgoMs, readAt: START });
    expect(isOpen(-2_000)).toBe(true); // as far as clocks may differ that are right
    expect(isOpen(-2_001)).toBe(false);
  });

  it("never ends where nothing is sent", () => {
    const window = createKeyWindow({ windowMs: Number.POSITIVE_INFINITY, longestCallMs: 0 });
    expect(window.isOpen({ begunAgoMs: 1e15, readAt: START })).toBe(true);
  });

  it("must leave time to send anything at all", () => {
    expect(() => createKeyWindow({ windowMs: 10_000, longestCallMs: 10_000 })).toThrow(RangeError);
    expect(sendableMs({ windowMs: WINDOW_MS, longestCallMs: LONGEST_CALL_MS })).toBe(OPEN_MS);
  });
});

describe("when an operation began", () => {
  it("is the earlier one of what the database and the process say", () => {
    const at = (databaseMs: number) => beginTimeOf(new Date(databaseMs), START).getTime();
    expect(at(START.wallMs + 3_600_000)).toBe(START.wallMs);
    expect(at(START.wallMs - 3_600_000)).toBe(START.wallMs - 3_600_000);
  });
});
