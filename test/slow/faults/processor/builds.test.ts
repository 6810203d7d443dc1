import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../../src/idempotency/answers/code.js";
import {
  type ActingCall,
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
import { waitUntil } from "../../../support/service/service-process.js";

/** Recovery has come several times by then. */
const RECOVERY_MS = 2_500;

const ARRIVAL_LIMIT_MS = 20_000;

type Service = Awaited<ReturnType<ActingServices["start"]>>;

let acting: ActingServices;
let older: Service;
let stricter: Service;

beforeAll(async () => {
  acting = await startActingServices();
  older = await acting.start();
});

afterAll(() => acting?.stop());

/** Kills the older build after the call's effect and before its answer. */
async function killAfterEffect(call: ActingCall): Promise<void> {
  const owner = await acting.start();
  const answer = owner.call({ ...call });
  await waitUntil(async () => (await acting.countEffects(call.key)) === 1, ARRIVAL_LIMIT_MS);
  owner.process.kill("SIGKILL");
  expect((await answer).code).not.toBe(Code.OK);
}

describe("a newer build that refuses what an older one accepted", () => {
  beforeAll(async () => {
    stricter = await acting.start("stricter");
  });
  afterAll(() => stricter?.process.stop());

  it("replays what the older one answered, and refuses what is new", async () => {
    const call = { key: "answered-before", policy: "RERUN" } as const;
    const first = await older.call(call);
    expect(first.code).toBe(Code.OK);
    const replay = await stricter.call(call);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(first));

    const fresh = { key: "new-intent", policy: "RERUN" } as const;
    expect((await stricter.call(fresh)).code).toBe(Code.INVALID_ARGUMENT);
    expect(await acting.countEffects(fresh.key)).toBe(0);
    expect((await older.call(fresh)).code).toBe(Code.OK);
  });

  it("does not refuse, under RERUN, what the older one has begun: that one ends it", async () => {
    // Only the newer build is there while the call has no owner.
    await older.process.stop();
    const call = { key: "begun-before", policy: "RERUN", ends: "hang" } as const;
    await killAfterEffect(call);
    await waitUntil(
      async () => ((await acting.recordOf(call.key))?.attempts ?? 0) > 1,
      ARRIVAL_LIMIT_MS,
    );
    const refusal = refusalOf(await stricter.call(call));
    expect(["OUTCOME_UNKNOWN", "REQUEST_IN_PROGRESS"]).toContain(refusal.reason);
    expect(await acting.recordOf(call.key)).toMatchObject({ state: "executing" });
    const { attempts } = (await acting.recordOf(call.key)) ?? { attempts: 0 };

    older = await acting.start();
    const { answer } = await untilAnswered(() => older.call(call));
    expect(answer.code).toBe(Code.OK);
    expect(await acting.countEffects(call.key)).toBe(1);
    const replay = await stricter.call(call);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(answer));
    tell(
      `older build killed after the effect; the newer one refused ${attempts - 1} times and freed nothing; ended by the older one, effects 1`,
    );
  });

  it("leaves it to an operator under HOLD", async () => {
    const call = { key: "held-before", policy: "HOLD", ends: "hang" } as const;
    await killAfterEffect(call);
    await sleep(RECOVERY_MS);
    for (const service of [stricter, older]) {
      expect(refusalOf(await service.call(call)).reason).toBe("OUTCOME_UNKNOWN");
    }
    expect(await acting.countEffects(call.key)).toBe(1);
  });
});

describe("a newer build whose fingerprints differ", () => {
  let newer: Service;

  beforeAll(async () => {
    newer = await acting.start("newer form");
  });

  it.each([
    { from: "older", to: "newer", first: () => older, second: () => newer },
    { from: "newer", to: "older", first: () => newer, second: () => older },
  ])("replays the $from one's answer at the $to one, to the same bytes only", async (builds) => {
    const call = { key: `form-of-${builds.from}`, policy: "RERUN" } as const;
    const answer = await builds.first().call(call);
    const replay = await builds.second().call(call);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(answer));
    const changed = await builds.second().call({ ...call, text: "something else" });
    expect(refusalOf(changed)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
    expect(await acting.countEffects(call.key)).toBe(1);
  });

  it("meets a call of the older one in flight as the same call, and takes it over", async () => {
    const call = { key: "form-in-flight", policy: "RERUN", ends: "hang" } as const;
    const owner = await acting.start();
    const lost = owner.call(call);
    await waitUntil(async () => (await acting.countEffects(call.key)) === 1, ARRIVAL_LIMIT_MS);
    expect(refusalOf(await newer.call(call)).reason).toBe("REQUEST_IN_PROGRESS");
    owner.process.kill("SIGKILL");
    await lost;
    const { answer } = await untilAnswered(() => newer.call(call));
    expect(answer.code).toBe(Code.OK);
    const replay = await older.call(call);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(answerOf(answer));
    expect(await acting.countEffects(call.key)).toBe(1);
  });
});
