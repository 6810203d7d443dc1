import { randomUUID } from "node:crypto";
import type { ExpectStatic } from "vitest";
import { type Case, KEY_PLACEHOLDER } from "../../support/conformance/cases.js";
import type { Answer, Call, Driver } from "../../support/conformance/driver.js";
import { type Arrival, startFront } from "../../support/conformance/front.js";
import { type Processor, processorKeyOfCall } from "../../support/service/processor.js";
import { createPayment } from "./payments.js";

const METHOD = "CreatePayment";
const DEADLINE_MS = 10_000;
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What a timer may be early by, rounded to whole milliseconds on both sides. */
const TIMER_SLACK_MS = 2;

export interface CaseRun {
  readonly driver: Driver;
  /** The service's address, where no script is followed. */
  readonly service: string;
  readonly processor: Processor;
  /** What the driver is told besides the case. */
  readonly more?: Partial<Call>;
}

/** What came of a case. */
export interface Observed {
  /** Under which the call would be made, if the case gives it one. */
  readonly key: string;
  readonly answer: Answer;
  readonly arrivals: readonly Arrival[];
  readonly tookMs: number;
  /** How many charges the processor has made under the key that arrived. */
  readonly effects: number;
}

/** Lets a driver make the call of a case. */
export async function runCase(test: Case, run: CaseRun): Promise<Observed> {
  const { driver, service, processor, more } = run;
  const front = await startFront(service, test.server);
  try {
    const key = randomUUID();
    const call = createPayment(front.target, { deadlineMs: DEADLINE_MS, ...test.call, ...more });
    if (test.before !== undefined) {
      await driver.call(createPayment(service, { ...test.before, ...more, key }));
    }
    if (test.unreachableForMs !== undefined) {
      front.goAway(test.unreachableForMs);
    }
    const startedAtMs = performance.now();
    const answer = await driver.call(filledIn(call, key));
    const tookMs = performance.now() - startedAtMs;
    const arrivals = [...front.arrivals];
    const usedKey = arrivals[0]?.keys[0] ?? key;
    const effects = await processor.effectsUnder(processorKeyOfCall(METHOD, usedKey));
    return { key, answer, arrivals, tookMs, effects: effects.length };
  } finally {
    await front.close();
  }
}

/** Compares what arrived, what it had as its effect, and what the caller learned. */
export function expectAsInCase(test: Case, observed: Observed, expect: ExpectStatic): void {
  const { key, answer, arrivals, tookMs, effects } = observed;
  expect(answer).toMatchObject(test.answer);
  expect(answer.response !== "").toBe(test.answer.code === "OK");
  const [least, most] = countsOf(test.wire);
  expect(arrivals.length).toBeGreaterThanOrEqual(least);
  expect(arrivals.length).toBeLessThanOrEqual(most);
  const sent = arrivals.map(({ keys }) => keys);
  const [first = []] = sent;
  expect(sent).toEqual(sent.map(() => first));
  const expectedKeys = {
    given: [filledIn(test.call, key).key],
    uuid: [expect.stringMatching(UUID_V4)],
    none: [],
  };
  expect(first).toEqual(expectedKeys[test.wire.keys]);
  expect(answer.key).toBe(first[0] ?? key);
  const gapsMs = arrivals.slice(1).map(({ atMs }, index) => atMs - (arrivals[index]?.atMs ?? 0));
  for (const [index, leastMs] of (test.wire.gapsMs ?? []).entries()) {
    expect(gapsMs[index]).toBeGreaterThanOrEqual(leastMs - TIMER_SLACK_MS);
  }
  expect(tookMs).toBeLessThan(test.wire.withinMs ?? Number.POSITIVE_INFINITY);
  expect(effects).toBe(test.effects);
}

function countsOf({ calls }: Case["wire"]): readonly [least: number, most: number] {
  return typeof calls === "number" ? [calls, calls] : calls;
}

function filledIn<Part extends Partial<Call>>(call: Part, key: string): Part {
  return JSON.parse(JSON.stringify(call).replaceAll(KEY_PLACEHOLDER, () => key));
}
