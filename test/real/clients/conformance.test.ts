import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Cluster, startCluster } from "../../support/cluster.js";
import { type Case, cases, KEY_PLACEHOLDER } from "../../support/conformance/cases.js";
import { clients } from "../../support/conformance/clients.js";
import type { Call, Driver } from "../../support/conformance/driver.js";
import { startFront } from "../../support/conformance/front.js";
import { openProcessor, type Processor, processorKeyOfCall } from "../service/processor.js";
import { BUILD_LIMIT_MS, createPayment, startReadyDriver } from "./payments.js";

const METHOD = "CreatePayment";
const DEADLINE_MS = 10_000;
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
    driver = await startReadyDriver(program, cluster.targets()[0] ?? "");
  }, BUILD_LIMIT_MS);

  afterAll(() => driver?.stop());

  it.concurrent.for(cases.map((test) => [test.name, test] as const))(
    "%s",
    async ([, test], { expect }) => {
      const [service = ""] = cluster.targets();
      const front = await startFront(service, test.server);
      try {
        const key = randomUUID();
        const call = filledIn(
          createPayment(front.target, { deadlineMs: DEADLINE_MS, ...test.call }),
          key,
        );
        if (test.before !== undefined) {
          await driver.call(createPayment(service, { ...test.before, key }));
        }
        if (test.unreachableForMs !== undefined) {
          front.goAway(test.unreachableForMs);
        }
        const startedAtMs = performance.now();
        const answer = await driver.call(call);
        const tookMs = performance.now() - startedAtMs;

        expect(answer).toMatchObject(test.answer);
        expect(answer.response !== "").toBe(test.answer.code === "OK");
        const [least, most] = countsOf(test.wire);
        expect(front.arrivals.length).toBeGreaterThanOrEqual(least);
        expect(front.arrivals.length).toBeLessThanOrEqual(most);
        const sent = front.arrivals.map(({ keys }) => keys);
        const [first = []] = sent;
        expect(sent).toEqual(sent.map(() => first));
        const expectedKeys = {
          given: [call.key],
          uuid: [expect.stringMatching(UUID_V4)],
          none: [],
        };
        expect(first).toEqual(expectedKeys[test.wire.keys]);
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
      } finally {
        await front.close();
      }
    },
  );
});

function countsOf({ calls }: Case["wire"]): readonly [least: number, most: number] {
  return typeof calls === "number" ? [calls, calls] : calls;
}

function filledIn(call: Call, key: string): Call {
  return JSON.parse(JSON.stringify(call).replaceAll(KEY_PLACEHOLDER, () => key));
}

/** How many charges the processor has made under a key. */
async function effectsOf(key: string): Promise<number> {
  const effects = await processor.effectsUnder(processorKeyOfCall(METHOD, key));
  return effects.length;
}
