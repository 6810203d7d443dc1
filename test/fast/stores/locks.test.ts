import { describe, expect, it } from "vitest";
import { batchedLocks } from "../../../src/stores/redis/batched-locks.js";
import type { LockReply } from "../../../src/stores/redis/lock-request.js";
import type { CreateLocks, HeldLock } from "../../../src/stores/redis/locks.js";
import { fromRedlock, type RedlockLock } from "../../../src/stores/redis/redlock-locks.js";
import { executing, type Operation, type Question } from "../../../src/stores/redis/script.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";

const TTL_MS = 1_000;
const REQUEST = "1.request";

/** Three nodes that say what the test says. */
function setup(createLocks: CreateLocks) {
  const clock = createManualClock();
  const said: Operation[] = [];
  const locks = createLocks({
    nodeCount: 3,
    batches: { isFull: () => false, add: (operation) => said.push(operation) },
    clock,
    processName: "process",
  });

  const requestOf = () =>
    locks.request({
      lockName: "lock",
      copyName: "copy",
      request: REQUEST,
      ttlMs: TTL_MS,
      verify: (copy) => (copy.toString() === "forged" ? undefined : copy.toString()),
      onSent: () => {},
    });

  function request() {
    const answer = requestOf();
    const question = said.find(
      (operation): operation is Question => "onReply" in operation,
    ) as Question;
    question.onSent(clock.nowMs());
    return {
      answer,
      reply(...replies: readonly unknown[]) {
        for (const reply of replies) {
          question.onReply(reply);
        }
        question.onMajority();
      },
    };
  }

  /** What the nodes were told after their question. */
  const told = () => said.map(({ kind }) => kind).slice(1);
  const last = () => said.at(-1);
  const values = () => said.flatMap((one) => (one.kind === "claim" ? [one.lock.value] : []));
  return { clock, request, requestOf, told, last, values };
}

/** A majority of the nodes has done what it was told. */
function heard(operation: Operation | undefined): void {
  if (operation?.kind === "extend" || operation?.kind === "release") {
    operation.onDone?.();
  }
}

/** The lock that was granted. */
async function lockIn(answer: Promise<LockReply<string>>): Promise<HeldLock> {
  const reply = await answer;
  return reply.kind === "granted" ? reply.lock : expect.unreachable(reply.kind);
}

const SILENT = undefined;
const holder = Buffer.from(`other.1${executing(REQUEST)}`);

describe("a lock of our own", () => {
  const GRANTED = 1;

  it("is held once a majority gave it in time", async () => {
    const { request, told } = setup(batchedLocks);
    const { answer, reply } = request();
    reply(GRANTED, GRANTED);
    expect(await answer).toMatchObject({ kind: "granted", lock: { name: "lock" } });
    expect(told()).toEqual([]);
  });

  it("is not, and is given back, where a majority gave it when its time was over", async () => {
    const { clock, request, told } = setup(batchedLocks);
    const { answer, reply } = request();
    await clock.advance(TTL_MS);
    reply(GRANTED, GRANTED);
    expect(await answer).toEqual({ kind: "undecided" });
    expect(told()).toEqual(["release"]);
  });

  it("is given back where only a minority gave it, also late", async () => {
    const { request, told } = setup(batchedLocks);
    const { answer, reply } = request();
    reply(GRANTED, SILENT, SILENT);
    expect(await answer).toEqual({ kind: "no_quorum" });
    expect(told()).toEqual(["release"]);
    reply(GRANTED);
    expect(told()).toEqual(["release", "release"]);
  });

  it("is marked, extended and given back by whoever has it, until a majority has heard it", async () => {
    const { clock, request, told, last } = setup(batchedLocks);
    const { answer, reply } = request();
    reply(GRANTED, GRANTED);
    const lock = await lockIn(answer);
    lock.keep();
    await clock.advance(20);
    expect(told()).toEqual(["mark"]);

    let isExtended = false;
    const extending = lock.extend(TTL_MS).then(() => {
      isExtended = true;
    });
    await settled();
    expect(isExtended).toBe(false);
    expect(last()).toMatchObject({ kind: "extend", ttlMs: TTL_MS, lock: { name: "lock" } });
    heard(last());
    await extending;

    let isReleased = false;
    const releasing = lock.release().then(() => {
      isReleased = true;
    });
    await settled();
    expect(isReleased).toBe(false); // duplicates may be told of the call until then
    expect(last()).toMatchObject({ kind: "release", lock: { name: "lock" } });
    heard(last());
    await releasing;
  });

  it("is given back without waiting where nobody can have been told of it", async () => {
    const { request, told } = setup(batchedLocks);
    const { answer, reply } = request();
    reply(GRANTED, GRANTED);
    const lock = await lockIn(answer);
    lock.keep();
    await lock.release();
    expect(told()).toEqual(["release"]);
  });

  it("has a value of its own for each claim", async () => {
    const { requestOf, values } = setup(batchedLocks);
    requestOf();
    requestOf();
    expect(values()).toEqual([`process.1:${REQUEST}`, `process.2:${REQUEST}`]);
  });

  it("is not asked for again where a copy proves itself", async () => {
    const { request, told } = setup(batchedLocks);
    const { answer, reply } = request();
    reply(GRANTED, [Buffer.from("the answer")]);
    expect(await answer).toEqual({ kind: "hit", answer: "the answer" });
    expect(told()).toEqual(["release"]);
  });
});

describe("a lock of the redlock package", () => {
  const ABSENT = 2;

  /** A Redlock whose only lock comes when it is told to. */
  function redlock() {
    const asked: { readonly resources: readonly string[]; readonly retryCount: number }[] = [];
    const events: string[] = [];
    const lock: RedlockLock = {
      async release() {
        events.push("released");
      },
      async extend(durationMs) {
        events.push(`extended by ${durationMs}`);
        return lock;
      },
    };
    let give = (_given: RedlockLock | Error) => {};
    return {
      asked,
      events,
      give: (given: Error | "the lock") => give(given === "the lock" ? lock : given),
      locks: fromRedlock({
        acquire: (resources, _durationMs, { retryCount }) => {
          asked.push({ resources, retryCount });
          return new Promise((resolve, reject) => {
            give = (given) => (given instanceof Error ? reject(given) : resolve(given));
          });
        },
      }),
    };
  }

  it("is asked for once, and without retries, where no node has a copy or a mark", async () => {
    const package_ = redlock();
    const { request, told } = setup(package_.locks);
    const { answer, reply } = request();
    reply(ABSENT, ABSENT);
    await settled();
    package_.give("the lock");
    expect(await answer).toMatchObject({ kind: "granted" });
    expect(package_.asked).toEqual([{ resources: ["lock"], retryCount: 0 }]);
    expect(told()).toEqual([]);
  });

  it.each([
    ["a copy proves itself", [[Buffer.from("the answer")]], { kind: "hit", answer: "the answer" }],
    ["a majority names one call", [holder, holder], { kind: "held" }],
    ["a majority is silent", [SILENT, SILENT], { kind: "no_quorum" }],
  ])("is not asked for where %s", async (_, replies, expected) => {
    const package_ = redlock();
    const { request } = setup(package_.locks);
    const { answer, reply } = request();
    reply(...replies);
    expect(await answer).toEqual(expected);
    expect(package_.asked).toEqual([]);
  });

  it("leaves it to the store of record where others have it", async () => {
    const package_ = redlock();
    const { request } = setup(package_.locks);
    const { answer, reply } = request();
    reply(ABSENT, holder, ABSENT);
    await settled();
    package_.give(new Error("the votes are split"));
    expect(await answer).toEqual({ kind: "undecided" });
  });

  it("is given back where it comes when nobody waits for it any more", async () => {
    const package_ = redlock();
    const { clock, request } = setup(package_.locks);
    const { answer, reply } = request();
    reply(ABSENT, ABSENT);
    await clock.advance(250);
    expect(await answer).toEqual({ kind: "undecided" });
    expect(package_.events).toEqual([]);
    package_.give("the lock");
    await settled();
    expect(package_.events).toEqual(["released"]);
  });

  it("has a mark beside it once its call takes its time, for as long as the call goes on", async () => {
    const package_ = redlock();
    const { clock, request, told } = setup(package_.locks);
    const { answer, reply } = request();
    reply(ABSENT, ABSENT);
    await settled();
    package_.give("the lock");
    const lock = await lockIn(answer);
    lock.keep();
    await clock.advance(20);
    expect(told()).toEqual(["put"]);
    await lock.extend(TTL_MS);
    expect(told()).toEqual(["put", "put"]);
    void lock.release();
    expect(told()).toEqual(["put", "put", "release"]);
    expect(package_.events).toEqual([`extended by ${TTL_MS}`, "released"]);
  });
});
