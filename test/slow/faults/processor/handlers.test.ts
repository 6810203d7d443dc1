import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type ActingServices,
  startActingServices,
} from "../../../support/faults/acting-service.js";
import { tell } from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  isReplayed,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";

/** Recovery would have come several times by then. */
const RECOVERY_MS = 2_500;

type CodeName = keyof typeof Code;

const FINAL: readonly CodeName[] = [
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "FAILED_PRECONDITION",
  "OUT_OF_RANGE",
];
const NOT_EXECUTED: readonly CodeName[] = [
  "INVALID_ARGUMENT",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "UNIMPLEMENTED",
];
const UNKNOWN: readonly CodeName[] = [
  "CANCELLED",
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "RESOURCE_EXHAUSTED",
  "ABORTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
];

/** Ways to end that say nothing of what was done, as a request asks for them. */
const UNKNOWN_ENDS = [...UNKNOWN.map((name) => String(Code[name])), "error", "text", "hang"];

let acting: ActingServices;
let services: readonly Awaited<ReturnType<ActingServices["start"]>>[];

beforeAll(async () => {
  acting = await startActingServices();
  // One after the other: the first one makes the tables.
  services = [await acting.start(), await acting.start()];
});

afterAll(() => acting?.stop());

function service(index: 0 | 1) {
  const found = services[index];
  if (found === undefined) {
    throw new Error("two services were started");
  }
  return found;
}

it("covers every code", () => {
  expect([...FINAL, ...NOT_EXECUTED, ...UNKNOWN, "OK"].sort()).toEqual(Object.keys(Code).sort());
});

describe("a handler that acts and then ends with an error on its first attempt", () => {
  describe.each(["HOLD", "RERUN"] as const)("under %s", (policy) => {
    it.concurrent.each(FINAL)("%s is its answer for good", async (name) => {
      const call = { key: `final-${policy}-${name}`, policy, ends: String(Code[name]) };
      const first = await service(0).call(call);
      expect(first.code).toBe(Code[name]);
      const second = await service(1).call(call);
      expect(isReplayed(second)).toBe(true);
      expect(answerOf(second)).toEqual(answerOf(first));
      expect(await acting.countEffects(call.key)).toBe(1);
    });

    it.concurrent.each(NOT_EXECUTED)(
      "%s is taken for its word that it did nothing",
      async (name) => {
        const call = { key: `free-${policy}-${name}`, policy, ends: String(Code[name]) };
        expect((await service(0).call(call)).code).toBe(Code[name]);
        expect(await acting.recordOf(call.key)).toBeUndefined();
        const again = await service(1).call({ ...call, ends: "" });
        expect(again.code).toBe(Code.OK);
      },
    );
  });

  it.concurrent.each(UNKNOWN_ENDS)("%s under HOLD: held, and never run again", async (ends) => {
    const call = { key: `hold-${ends}`, policy: "HOLD", ends } as const;
    expect(refusalOf(await service(0).call(call))).toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    await sleep(RECOVERY_MS);
    expect(refusalOf(await service(1).call(call))).toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    const record = await acting.recordOf(call.key);
    expect(record).toMatchObject({ state: "held", attempts: 1, reason: expect.any(String) });
    expect(await acting.countEffects(call.key)).toBe(1);
    tell(`HOLD, ${ends}: held with reason "${record?.reason}", effects 1`);
  });

  it.concurrent.each(UNKNOWN_ENDS)("%s under RERUN: run again, one effect", async (ends) => {
    const call = { key: `rerun-${ends}`, policy: "RERUN", ends } as const;
    const { earlier, answer } = await untilAnswered(() => service(0).call(call));
    expect(earlier.map((result) => refusalOf(result).reason)).toContain("OUTCOME_UNKNOWN");
    expect(answer.code).toBe(Code.OK);
    const replay = await service(1).call(call);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(answer));
    expect(await acting.countEffects(call.key)).toBe(1);
    tell(`RERUN, ${ends}: answered after ${earlier.length} retries, effects 1`);
  });
});

describe("on a later attempt no code is believed", () => {
  it.concurrent.each([...FINAL, ...NOT_EXECUTED, ...UNKNOWN])(
    "%s on the second attempt: the third one answers",
    async (name) => {
      const ends = `${Code.UNAVAILABLE},${Code[name]}`;
      const call = { key: `later-${name}`, policy: "RERUN", ends } as const;
      const { earlier, answer } = await untilAnswered(() => service(1).call(call));
      const reasons = new Set(earlier.map((result) => refusalOf(result).reason));
      expect(reasons.has("AS_ASKED")).toBe(false);
      expect(answer.code).toBe(Code.OK);
      expect(await acting.recordOf(call.key)).toMatchObject({ state: "completed", attempts: 3 });
      expect(await acting.countEffects(call.key)).toBe(1);
    },
  );
});
