import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Cluster, startCluster } from "../../support/cluster.js";
import { type Case, cases, KEY_PLACEHOLDER } from "../../support/conformance/cases.js";
import { clients } from "../../support/conformance/clients.js";
import { type Call, type Driver, startDriver } from "../../support/conformance/driver.js";
import { startFront } from "../../support/conformance/front.js";
import { openProcessor, type Processor, processorKeyOfCall } from "../service/processor.js";

/** A driver of another language is built first, on a machine that may have to fetch for it. */
const BUILD_LIMIT_MS = 600_000;

const METHOD = "CreatePayment";
const DEADLINE_MS = 10_000;
const AMOUNT = { currencyCode: "EUR", minorUnits: "1999" };
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What a timer may be early by, rounded to whole milliseconds on both sides. */
const TIMER_SLACK_MS = 2;

let cluster: Cluster;
let processor: Processor;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, env: { RECOVERY_INTERVAL_MS: "200" } });
  processor = openProcessor(cluster.sandbox.address);
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

describe.each(clients)("the client $name", ({ driver: program }) => {
  let driver: Driver;

  beforeAll(async () => {
    driver = startDriver(program);
    await driver.call(callOf({ key: randomUUID() }, cluster.targets()[0] ?? ""));
  }, BUILD_LIMIT_MS);

  afterAll(() => driver?.stop());

  it.concurrent.for(cases.map((test) => [test.name, test] as const))(
    "%s",
    async ([, test], { expect }) => {
      const [service = ""] = cluster.targets();
      const front = await startFront(service, test.server);
      try {
        const key = randomUUID();
        const call = filledIn(callOf(test.call, front.target), key);
        if (test.before !== undefined) {
          await driver.call({ ...callOf({ ...test.before, key }, service) });
        }
        if (test.unreachableForMs !== undefined) {
          front.goAway(test.unreachableForMs);
        }
        const startedAtMs = performance.now();
        const answer = await driver.call(call);
        const tookMs = performance.now() - startedAtMs;

        expect(answer).toMatchObject(test.answer);
        expect(answer.response !== "").toBe(test.answer.code === "OK");
        expectCount(front.arrivals.length, test.wire.calls);
        const sent = front.arrivals.map(({ keys }) => keys);
        const [first = []] = sent;
        expect(sent).toEqual(sent.map(() => first));
        expect(first).toEqual(keysOnTheWire(test, call.key));
        const usedKey = first[0] ?? key;
        expect(answer.key).toBe(usedKey);
        const gapsMs = front.arrivals.slice(1).map(({ atMs }, index) => {
          return atMs - (front.arrivals[index]?.atMs ?? 0);
        });
        for (const [index, leastMs] of (test.wire.gapsMs ?? []).entries()) {
          expect(gapsMs[index]).toBeGreaterThanOrEqual(leastMs - TIMER_SLACK_MS);
        }
        expect(tookMs).toBeLessThan(test.wire.withinMs ?? Number.POSITIVE_INFINITY);
        expect(await effectsOf(usedKey)).toBe(test.effects);

        function expectCount(count: number, expected: Case["wire"]["calls"]): void {
          const [least, most] = typeof expected === "number" ? [expected, expected] : expected;
          expect(count).toBeGreaterThanOrEqual(least);
          expect(count).toBeLessThanOrEqual(most);
        }

        function keysOnTheWire({ wire }: Case, given: string | undefined): unknown {
          switch (wire.keys) {
            case "given":
              return [given];
            case "uuid":
              return [expect.stringMatching(UUID_V4)];
            case "none":
              return [];
          }
        }
      } finally {
        await front.close();
      }
    },
  );
});

function callOf(call: Partial<Call>, target: string): Call {
  return {
    method: METHOD,
    deadlineMs: DEADLINE_MS,
    ...call,
    target,
    request: { amount: AMOUNT, paymentMethod: "tok_visa", ...call.request },
  };
}

function filledIn(call: Call, key: string): Call {
  return JSON.parse(JSON.stringify(call).replaceAll(KEY_PLACEHOLDER, () => key));
}

/** How many charges the processor has made under a key. */
async function effectsOf(key: string): Promise<number> {
  const effects = await processor.effectsUnder(processorKeyOfCall(METHOD, key));
  return effects.length;
}
