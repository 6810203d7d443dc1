import { describe, expect, it } from "vitest";
import { createBatches, QueueFull, type Settled, type Turn } from "../../../src/runtime/batches.js";

interface Item {
  readonly subject: string;
  readonly value: number;
  readonly sizeBytes: number;
}

/** Batches that the test lets end, in the order in which they were sent. */
function underTest(change: Partial<Parameters<typeof createBatches<Item, number>>[0]> = {}) {
  const sent: Item[][] = [];
  const sentAs: Turn[] = [];
  const ends: ((results: readonly Settled<number>[] | Error) => void)[] = [];
  const turns: (() => void)[] = [];
  const batches = createBatches<Item, number>({
    run: (items, turn) => {
      sent.push([...items]);
      sentAs.push(turn);
      return new Promise((resolve, reject) => {
        ends.push((results) => (results instanceof Error ? reject(results) : resolve(results)));
      });
    },
    subjectOf: ({ subject }) => subject,
    lanes: 1,
    maxBatchSize: 3,
    maxWaiting: 5,
    sizeOf: ({ sizeBytes }) => sizeBytes,
    soon: (callback) => turns.push(callback),
    ...change,
  });
  let ended = 0;
  return {
    sent,
    sentAs,
    add: (subject: string, value = 0, sizeBytes = 1) => batches.add({ subject, value, sizeBytes }),
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
      await settled();
    },
  };
}

/** Everything that could go on has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const subjectsOf = (batch: readonly Item[] | undefined) => batch?.map(({ subject }) => subject);

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

  it("are told so too while those of a failed batch wait to be tried alone", async () => {
    const poison = new Error("a row is bad");
    const { add, turn, end } = underTest({ mayRepeat: (error) => error === poison, maxWaiting: 3 });
    const tried = [add("a"), add("b"), add("c")].map((result) => result.catch(String));
    turn();
    await end(poison); // one is tried, and two wait
    void add("d");
    await expect(add("e")).rejects.toThrow(QueueFull);
    await end();
    void add("e");
    for (const _ of [1, 2, 3, 4]) {
      turn();
      await end();
    }
    expect(await Promise.all(tried)).toEqual([0, 0, 0]);
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

  describe("alone because it has to wait", () => {
    const isLocked = (error: unknown) => error instanceof Error && error.message === "locked";
    const failure = new Error("locked");

    /** Batches with two items that have to wait. Ends all else at once, and those as the test says. */
    async function withTwoHeld(turns = 2) {
      const patient: string[] = [];
      const ends: ((error?: Error) => void)[] = [];
      const { add, turn } = underTest({
        mayRepeat: isLocked,
        patience: { hasToWait: isLocked, turns },
        async run(items, turn) {
          const values = items.map(({ value }) => ({ ok: true as const, value }));
          if (turn === "patiently") {
            patient.push(...items.map(({ subject }) => subject));
            const error = await new Promise<Error | undefined>((resolve) => ends.push(resolve));
            return error === undefined ? values : Promise.reject(error);
          }
          if (items.some(({ subject }) => subject.startsWith("held"))) {
            throw failure;
          }
          return values;
        },
      });
      const held = [add("held 1", 1), add("held 2", 2)].map((result) => result.catch(String));
      const free = add("free", 3);
      turn();
      await settled();
      return {
        add,
        turn,
        held,
        free,
        patient,
        /** Ends the turn of the one whose turn it is. */
        async end(error?: Error) {
          ends.shift()?.(error);
          await settled();
        },
      };
    }

    it("waits beside all others, those about the same behind it", async () => {
      const { add, turn, held, free, patient, end } = await withTwoHeld();
      expect(await free).toBe(3);
      const behind = add("held 1", 4).catch(String);
      const beside = add("other", 5);
      turn();
      expect(await beside).toBe(5);
      expect(patient).toEqual(["held 1"]);
      await end();
      await end();
      expect(await Promise.all(held)).toEqual([1, 2]);
      await end();
      expect(await behind).toBe(4);
      expect(patient).toEqual(["held 1", "held 2", "held 1"]);
    });

    it("lets others that wait have their turn before its next one, and gives up after the last", async () => {
      const { held, patient, end } = await withTwoHeld();
      await end(failure);
      await end(); // the second one is free by now
      expect(await held[1]).toBe(2);
      await end(failure);
      expect(await held[0]).toBe("Error: locked");
      expect(patient).toEqual(["held 1", "held 2", "held 1"]);
    });
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

describe("items of many bytes", () => {
  const MAX = { maxBatchBytes: 10, maxWaitingBytes: 30 };

  it("share a batch up to its bytes; those that do not fit keep their order", async () => {
    const { add, turn, end, sent } = underTest({ ...MAX, maxBatchSize: 10 });
    void add("a", 1, 6);
    void add("b", 2, 6);
    void add("c", 3, 4);
    void add("d", 4, 4);
    turn();
    await end();
    expect(sent.map(subjectsOf)).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
  });

  it("more than a batch may hold go one after another, and hold up no neighbour", async () => {
    const { add, turn, end, sent, sentAs } = underTest({ ...MAX, maxWaitingBytes: 100 });
    const results = Promise.all([add("large", 1, 11), add("larger", 2, 50), add("small", 3)]);
    turn();
    expect(sent.map(subjectsOf)).toEqual([["large"], ["small"]]);
    void add("next");
    await end();
    expect(sent.map(subjectsOf)).toEqual([["large"], ["small"], ["larger"]]);
    await end();
    expect(subjectsOf(sent[3])).toEqual(["next"]);
    await end();
    expect(await results).toEqual([1, 2, 3]);
    expect(sentAs).toEqual(["alone", "together", "alone", "together"]);
  });

  it("more than a batch may hold do not hold up what is tried alone", async () => {
    const poison = new Error("a row is bad");
    const { add, turn, end, sent } = underTest({
      maxBatchBytes: 10,
      mayRepeat: (error) => error === poison,
    });
    const results = Promise.all([add("a", 1), add("b", 2)]);
    turn();
    void add("large", 3, 11);
    await end(poison);
    await end();
    await end();
    expect(sent.map(subjectsOf)).toEqual([["a", "b"], ["a"], ["large"], ["b"]]);
    await end();
    expect(await results).toEqual([1, 2]);
  });

  it("are told at once when they would take too much together, those under way counted", async () => {
    const { add, turn, end } = underTest(MAX);
    const served = [add("a", 1, 10), add("b", 2, 20)];
    turn();
    await expect(add("c", 3, 1)).rejects.toThrow(QueueFull);
    await end();
    await expect(add("c", 3, 21)).rejects.toThrow(QueueFull);
    void add("c", 3, 10);
    await end();
    expect(await Promise.all(served)).toEqual([1, 2]);
  });

  it("take what they have taken until they fail", async () => {
    const { add, turn, end } = underTest(MAX);
    const failed = add("a", 1, 30).catch(String);
    turn();
    await end(new Error("gone"));
    expect(await failed).toBe("Error: gone");
    const next = add("b", 2, 30);
    turn();
    await end();
    expect(await next).toBe(2);
  });

  it("are taken whatever they take where there is no other", async () => {
    const { add, turn, end } = underTest(MAX);
    const huge = add("huge", 1, 1_000);
    turn();
    await end();
    expect(await huge).toBe(1);
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

describe("items of several parties", () => {
  it("have turns where more wait than a batch takes", async () => {
    const { add, turn, end, sent } = underTest({
      maxWaiting: 100,
      partyOf: ({ subject }) => subject.slice(0, 1),
    });
    const adding = ["a1", "a2", "a3", "a4", "a5", "b1", "c1"].map((subject) => add(subject));
    turn();
    expect(subjectsOf(sent[0])).toEqual(["a1", "b1", "c1"]);
    await end();
    expect(subjectsOf(sent[1])).toEqual(["a2", "a3", "a4"]);
    await end();
    await end();
    await Promise.all(adding);
  });
});

describe("an item that nobody wants any more", () => {
  it("is not sent, and no later one shares its result", async () => {
    const unwanted = new Set<number>();
    const { add, turn, end, sent } = underTest({
      isWanted: ({ value }) => !unwanted.has(value),
      share: { isSame: () => true, follow: (result) => result },
    });
    const left = add("same", 1);
    const other = add("other", 2);
    unwanted.add(1);
    const later = add("same", 3);
    turn();
    await expect(left).rejects.toThrow(QueueFull);
    expect(subjectsOf(sent[0])).toEqual(["other", "same"]);
    await end();
    expect(await Promise.all([other, later])).toEqual([2, 3]);
  });

  it("leaves its room to others", async () => {
    const { add, turn, end } = underTest({
      isWanted: ({ value }) => value !== 1,
      maxWaitingBytes: 10,
    });
    const left = add("a", 1, 10);
    turn();
    await expect(left).rejects.toThrow(QueueFull);
    const next = add("b", 2, 10);
    turn();
    await end();
    expect(await next).toBe(2);
  });
});

describe("an item that waits too long", () => {
  it("is told so, and is not sent", async () => {
    const { add, turn, end, sent } = underTest({ maxWaitMs: 20 });
    const first = add("a", 1);
    turn();
    const told = expect(add("b", 2)).rejects.toThrow(QueueFull);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const fresh = add("c", 3);
    await end();
    await told;
    expect(subjectsOf(sent[1])).toEqual(["c"]);
    await end();
    expect(await Promise.all([first, fresh])).toEqual([1, 3]);
  });
});
