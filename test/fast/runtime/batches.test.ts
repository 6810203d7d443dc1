import { describe, expect, it } from "vitest";
import { createBatches, QueueFull, type Settled } from "../../../src/runtime/batches.js";

interface Item {
  readonly subject: string;
  readonly value: number;
}

/** Batches that the test lets end, in the order in which they were sent. */
function underTest(change: Partial<Parameters<typeof createBatches<Item, number>>[0]> = {}) {
  const sent: Item[][] = [];
  const ends: ((results: readonly Settled<number>[] | Error) => void)[] = [];
  const turns: (() => void)[] = [];
  const batches = createBatches<Item, number>({
    run: (items) => {
      sent.push([...items]);
      return new Promise((resolve, reject) => {
        ends.push((results) => (results instanceof Error ? reject(results) : resolve(results)));
      });
    },
    subjectOf: ({ subject }) => subject,
    lanes: 1,
    maxBatchSize: 3,
    maxWaiting: 5,
    soon: (callback) => turns.push(callback),
    ...change,
  });
  let ended = 0;
  return {
    sent,
    add: (subject: string, value = 0) => batches.add({ subject, value }),
    /** The end of a turn of the event loop. */
    turn() {
      for (const callback of turns.splice(0)) {
        callback();
      }
    },
    /** Ends the oldest batch under way: each item with its own value, unless told otherwise. */
    async end(results?: readonly Settled<number>[] | Error) {
      const items = sent[ended] ?? [];
      ends[ended]?.(results ?? items.map(({ value }) => ({ ok: true, value })));
      ended += 1;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const subjectsOf = (batch: readonly Item[] | undefined) => batch?.map(({ subject }) => subject);

/** `Promise.withResolvers`, which Node 20 does not have yet. */
function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((resolved) => {
    resolve = resolved;
  });
  return { promise, resolve: () => resolve() };
}

describe("items that come together", () => {
  it("go in one batch, and each gets its own result", async () => {
    const { add, turn, end, sent } = underTest();
    const results = Promise.all([add("a", 1), add("b", 2)]);
    expect(sent).toEqual([]); // the turn is not over
    turn();
    expect(subjectsOf(sent[0])).toEqual(["a", "b"]);
    await end();
    expect(await results).toEqual([1, 2]);
  });

  it("gather while a batch is under way, and go as soon as it ends", async () => {
    const { add, turn, end, sent } = underTest();
    void add("a");
    turn();
    void add("b");
    void add("c");
    turn();
    expect(sent).toHaveLength(1);
    await end();
    expect(subjectsOf(sent[1])).toEqual(["b", "c"]);
  });

  it("are split where they are more than one batch may hold", async () => {
    const { add, turn, end, sent } = underTest();
    for (const subject of ["a", "b", "c", "d"]) {
      void add(subject);
    }
    turn();
    await end();
    expect(sent.map(subjectsOf)).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("never go together when they are about the same, also not in two lanes", async () => {
    const { add, turn, end, sent } = underTest({ lanes: 2 });
    void add("a", 1);
    void add("a", 2);
    void add("b", 3);
    turn();
    expect(sent.map(subjectsOf)).toEqual([["a", "b"]]);
    await end();
    expect(sent.map(subjectsOf)).toEqual([["a", "b"], ["a"]]);
  });

  it("are told at once when too many wait; those that wait are served", async () => {
    const { add, turn, end } = underTest({ maxBatchSize: 1 });
    const served = [add("a"), add("b"), add("c"), add("d"), add("e")];
    await expect(add("f")).rejects.toThrow(QueueFull);
    turn();
    for (const _ of served) {
      await end();
    }
    expect(await Promise.all(served)).toEqual([0, 0, 0, 0, 0]);
  });

  it("are not held up by a batch in another lane that does not end", async () => {
    const { add, turn, sent } = underTest({ lanes: 2 });
    void add("stuck");
    turn();
    void add("b");
    turn();
    expect(sent.map(subjectsOf)).toEqual([["stuck"], ["b"]]);
  });
});

describe("an item that fails", () => {
  it("alone, leaves its neighbours their results", async () => {
    const { add, turn, end } = underTest();
    const results = Promise.allSettled([add("a"), add("b")]);
    turn();
    await end([
      { ok: false, error: new Error("refused") },
      { ok: true, value: 7 },
    ]);
    expect(await results).toMatchObject([
      { status: "rejected", reason: { message: "refused" } },
      { status: "fulfilled", value: 7 },
    ]);
  });

  it("with its batch, is found by trying each of them alone, beside the next batches", async () => {
    const poison = new Error("a row is bad");
    const { add, turn, end, sent } = underTest({ mayRepeat: (error) => error === poison });
    const results = Promise.allSettled([add("good", 1), add("bad", 2), add("fine", 3)]);
    turn();
    const later = add("later", 4);
    await end(poison);
    expect(sent.map(subjectsOf)).toEqual([["good", "bad", "fine"], ["good"], ["later"]]);
    await end();
    await end();
    expect(await later).toBe(4);
    await end(poison);
    await end();
    expect(sent.map(subjectsOf).slice(3)).toEqual([["bad"], ["fine"]]);
    expect(await results).toMatchObject([{ value: 1 }, { reason: poison }, { value: 3 }]);
  });

  it("with its batch, fails all of them where nobody knows what was done", async () => {
    const lost = new Error("the connection is gone");
    const { add, turn, end, sent } = underTest({ mayRepeat: (error) => error !== lost });
    const results = Promise.allSettled([add("a"), add("b")]);
    turn();
    await end(lost);
    expect(sent).toHaveLength(1);
    expect(await results).toMatchObject([{ reason: lost }, { reason: lost }]);
  });

  it("alone because it has to wait, waits beside all others, those about the same behind it", async () => {
    const locked = new Error("a lock is held");
    const patiently: string[] = [];
    const unlocked = withResolvers();
    const { add, turn, end, sent } = underTest({
      mayRepeat: (error) => error === locked,
      patience: {
        hasToWait: (error) => error === locked,
        async run(items) {
          patiently.push(...(subjectsOf(items) ?? []));
          await unlocked.promise;
          return items.map(({ value }) => ({ ok: true, value }));
        },
      },
    });
    const results = Promise.all([add("held", 1), add("also held", 2), add("free", 3)]);
    turn();
    await end(locked);
    await end(locked);
    await end(locked);
    await end(); // the free one, once the two are out of its way
    const behind = add("held", 4);
    const beside = add("other", 5);
    turn();
    expect(sent.map(subjectsOf)).toEqual([
      ["held", "also held", "free"],
      ["held"],
      ["also held"],
      ["free"],
      ["other"],
    ]);
    await end();
    expect(await beside).toBe(5);
    expect(patiently).toEqual(["held"]);
    unlocked.resolve();
    expect(await results).toEqual([1, 2, 3]);
    await end();
    expect(await behind).toBe(4);
    expect(patiently).toEqual(["held", "also held"]);
  });

  it("lets those that are about the same go on", async () => {
    const { add, turn, end } = underTest();
    const first = add("a", 1).catch(String);
    const second = add("a", 2);
    turn();
    await end(new Error("gone"));
    await end();
    expect([await first, await second]).toEqual(["Error: gone", 2]);
  });
});

describe("an item that is the same as one that waits", () => {
  const share = {
    isSame: (waiting: Item, added: Item) => waiting.value === added.value,
    follow: (result: number) => -result,
  };

  it("follows it", async () => {
    const { add, turn, end, sent } = underTest({ share });
    const results = Promise.all([add("a", 1), add("a", 1)]);
    turn();
    expect(sent[0]).toHaveLength(1);
    await end();
    expect(await results).toEqual([1, -1]);
  });

  it("is sent itself once the other one is under way: what that finds may be out of date", async () => {
    const { add, turn, end, sent } = underTest({ share });
    const first = add("a", 1);
    turn();
    const second = add("a", 1);
    await end();
    await end();
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(sent).toHaveLength(2);
  });

  it("is sent itself where it differs", async () => {
    const { add, turn, end, sent } = underTest({ share });
    void add("a", 1);
    void add("a", 2);
    turn();
    await end();
    expect(sent.map((batch) => batch.map(({ value }) => value))).toEqual([[1], [2]]);
  });
});
