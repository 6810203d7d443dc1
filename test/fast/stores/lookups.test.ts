import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { createLookups } from "../../../src/stores/redis/lookups.js";
import { createManualClock, settled } from "../../support/idempotency/manual-clock.js";

const NODES = 3;
const TIMEOUT_MS = 20;
const REST_MS = 1_000;
const MAX_BATCH_SIZE = 256;

/** One MGET as a node got it; the test decides what becomes of it. */
interface Read {
  readonly node: number;
  readonly names: readonly string[];
  reply(copies: unknown): void;
  fail(): void;
}

/** Lookups over nodes that say nothing until the test does. */
function setup(nodeCount = NODES) {
  const clock = createManualClock();
  const reads: Read[] = [];
  const turns: (() => void)[] = [];

  function fakeNode(node: number): Redis {
    const commands = {
      callBuffer: (command: string, names: readonly string[]) =>
        new Promise((resolve, reject) => {
          expect(command).toBe("mget");
          const fail = () => reject(new Error("the connection is lost"));
          reads.push({ node, names: [...names], reply: resolve, fail });
        }),
    };
    // Lookups call this command of a client, and no other.
    return commands as unknown as Redis;
  }

  const lookups = createLookups({
    nodes: Array.from({ length: nodeCount }, (_, node) => fakeNode(node)),
    clock,
    soon: (callback) => turns.push(callback),
  });

  /** The end of a turn of the event loop, and what it brings about. */
  async function turn(): Promise<void> {
    for (const callback of turns.splice(0)) {
      callback();
    }
    await settled();
  }

  /** Time passes, and the turn of the event loop in which a timer fires comes to its end. */
  async function pass(ms: number): Promise<void> {
    await clock.advance(ms);
    await turn();
  }

  /** Begins a lookup and follows it. */
  function find(name: string) {
    const found = { sent: 0, copy: "waiting" };
    void lookups
      .find(name, () => {
        found.sent += 1;
      })
      .then(
        (copy) => {
          found.copy = copy === undefined ? "nothing" : copy.toString();
        },
        () => {
          found.copy = "rejected";
        },
      );
    return found;
  }

  /** The reads since the last time. */
  const newReads = () => reads.splice(0);

  /** The only read since the last time. */
  function onlyRead(): Read {
    const [read, ...others] = newReads();
    if (read === undefined || others.length > 0) {
      throw new Error(`expected one read, got ${others.length + (read === undefined ? 0 : 1)}`);
    }
    return read;
  }

  /** Which node is asked for the next lookup. It replies. */
  async function nextNode(): Promise<number> {
    const found = find("next");
    await turn();
    const read = onlyRead();
    read.reply([Buffer.from("found")]);
    await settled();
    expect(found.copy).toBe("found");
    return read.node;
  }

  /** One lookup after the other until a node has been asked, which has not replied yet. */
  async function readOf(node: number) {
    for (let tries = 0; tries < NODES; tries += 1) {
      const found = find(`of node ${node}`);
      await turn();
      const read = onlyRead();
      if (read.node === node) {
        return { found, read };
      }
      read.reply([null]);
      await settled();
    }
    throw new Error(`node ${node} was not asked`);
  }

  /** Which nodes are asked for many lookups, one after the other. */
  async function askedNodes(lookupCount = 4 * NODES): Promise<number[]> {
    const asked = new Set<number>();
    for (let lookup = 0; lookup < lookupCount; lookup += 1) {
      asked.add(await nextNode());
    }
    return [...asked].sort();
  }

  return { clock, turn, pass, find, newReads, onlyRead, nextNode, readOf, askedNodes };
}

describe("lookups of one turn", () => {
  it("share a read of one node, and each gets its own copy", async () => {
    const { clock, turn, find, onlyRead } = setup();
    const found = ["a", "b", "c"].map(find);
    expect(found.map(({ sent }) => sent)).toEqual([0, 0, 0]);
    await turn();
    const read = onlyRead();
    expect(read.names).toEqual(["a", "b", "c"]);
    expect(found.map(({ sent }) => sent)).toEqual([1, 1, 1]);
    read.reply([Buffer.from("of a"), null, Buffer.from("of c")]);
    await settled();
    expect(found.map(({ copy }) => copy)).toEqual(["of a", "nothing", "of c"]);
    expect(clock.waitingTimers()).toBe(0);
  });

  it("are of at most 256 names to a read, and the others go to the next node", async () => {
    const { turn, find, newReads } = setup();
    const found = Array.from({ length: 600 }, (_, index) => find(`name ${index}`));
    for (let turns = 0; turns < NODES; turns += 1) {
      await turn();
    }
    const reads = newReads();
    expect(reads.map(({ names }) => names.length)).toEqual([MAX_BATCH_SIZE, MAX_BATCH_SIZE, 88]);
    expect(new Set(reads.map(({ node }) => node)).size).toBe(NODES);
    expect(reads.flatMap(({ names }) => names)).toEqual(found.map((_, index) => `name ${index}`));
    for (const read of reads) {
      read.reply(read.names.map((name) => Buffer.from(`of ${name}`)));
    }
    await settled();
    expect(found.map(({ copy }) => copy)).toEqual(found.map((_, index) => `of name ${index}`));
    expect(found.every(({ sent }) => sent === 1)).toBe(true);
  });
});

describe("the nodes", () => {
  it("take turns", async () => {
    const { nextNode } = setup();
    const asked: number[] = [];
    for (let lookup = 0; lookup < 4 * NODES; lookup += 1) {
      asked.push(await nextNode());
    }
    for (let node = 0; node < NODES; node += 1) {
      expect(asked.filter((one) => one === node)).toHaveLength(4);
    }
    expect(new Set(asked.slice(0, NODES)).size).toBe(NODES);
  });

  it("have one read each on its way; what comes meanwhile gathers, and leaves together", async () => {
    const { turn, find, newReads, onlyRead } = setup();
    const first = [];
    for (const name of ["a", "b", "c"]) {
      first.push(find(name));
      await turn();
    }
    const reads = newReads();
    expect(reads.map(({ names }) => names)).toEqual([["a"], ["b"], ["c"]]);
    expect(new Set(reads.map(({ node }) => node)).size).toBe(NODES);

    const gathered = [find("d")];
    await turn();
    gathered.push(find("e"));
    await turn();
    expect(newReads()).toEqual([]);
    expect(gathered.map(({ sent }) => sent)).toEqual([0, 0]);

    reads[1]?.reply([Buffer.from("of b")]);
    await settled();
    await turn();
    const next = onlyRead();
    expect([next.node, next.names]).toEqual([reads[1]?.node, ["d", "e"]]);
    expect(gathered.map(({ sent }) => sent)).toEqual([1, 1]);
    expect([...first, ...gathered].map(({ copy }) => copy)).toEqual([
      "waiting",
      "of b",
      "waiting",
      "waiting",
      "waiting",
    ]);
  });

  it("are asked each time where there is only one", async () => {
    const { askedNodes } = setup(1);
    expect(await askedNodes()).toEqual([0]);
  });
});

describe("a node that fails", () => {
  it.each([0, 1, 2])("is answered for at once, and rests a second: node %i", async (node) => {
    const { pass, clock, readOf, askedNodes } = setup();
    const { found, read } = await readOf(node);
    read.fail();
    await settled();
    expect(found).toEqual({ sent: 1, copy: "nothing" });
    expect(clock.waitingTimers()).toBe(0);

    const others = [0, 1, 2].filter((other) => other !== node);
    expect(await askedNodes()).toEqual(others);
    await pass(REST_MS - 1);
    expect(await askedNodes()).toEqual(others);
    await pass(1);
    expect(await askedNodes()).toEqual([0, 1, 2]);
  });

  it("fails all lookups of its read, and none of another's", async () => {
    const { turn, find, onlyRead } = setup();
    const failed = ["a", "b"].map(find);
    await turn();
    const read = onlyRead();
    const other = find("c");
    await turn();
    read.fail();
    onlyRead().reply([Buffer.from("of c")]);
    await settled();
    expect([...failed, other].map(({ copy }) => copy)).toEqual(["nothing", "nothing", "of c"]);
  });
});

describe("a node that takes longer than 20 ms", () => {
  it.each([0, 1, 2])("is answered for then, and rests a second: node %i", async (node) => {
    const { pass, clock, readOf, askedNodes } = setup();
    const { found, read } = await readOf(node);
    await pass(TIMEOUT_MS - 0.1);
    expect(found.copy).toBe("waiting");
    await pass(0.1);
    expect(found).toEqual({ sent: 1, copy: "nothing" });

    const others = [0, 1, 2].filter((other) => other !== node);
    read.reply([Buffer.from("late")]);
    await settled();
    expect(await askedNodes()).toEqual(others);
    await pass(REST_MS - 1);
    expect(await askedNodes()).toEqual(others);
    await pass(1);
    expect(await askedNodes()).toEqual([0, 1, 2]);
    expect(clock.waitingTimers()).toBe(0);
  });

  it.each([
    ["a copy", (read: Read) => read.reply([Buffer.from("late")])],
    ["an error", (read: Read) => read.fail()],
  ])(
    "is free again once it says something, and %s that comes so late changes nothing",
    async (_, say) => {
      const { pass, readOf, askedNodes } = setup();
      const { found, read } = await readOf(1);
      await pass(TIMEOUT_MS);
      await pass(3 * REST_MS);
      // Its rest is over, and it still owes a reply.
      expect(await askedNodes()).toEqual([0, 2]);
      say(read);
      await settled();
      expect(await askedNodes()).toEqual([0, 1, 2]);
      expect(found).toEqual({ sent: 1, copy: "nothing" });
    },
  );

  it("is not slow where its reply is there, and this process was too busy to read it", async () => {
    const { clock, turn, readOf, askedNodes } = setup();
    const { found, read } = await readOf(1);
    await clock.advance(TIMEOUT_MS + 1); // timers come before what has arrived
    read.reply([Buffer.from("in time")]);
    await settled();
    await turn();
    expect(found.copy).toBe("in time");
    expect(await askedNodes()).toEqual([0, 1, 2]);
  });

  it("is not slow where it has answered in time, however long ago", async () => {
    const { pass, nextNode, askedNodes } = setup();
    await nextNode();
    await pass(10 * TIMEOUT_MS);
    expect(await askedNodes()).toEqual([0, 1, 2]);
  });

  it("keeps what has gathered no longer: another node gets it", async () => {
    const { pass, turn, find, newReads, onlyRead } = setup();
    for (const name of ["a", "b", "c"]) {
      find(name);
      await turn();
    }
    const [hung, answers] = newReads();
    const gathered = find("d");
    await turn();
    await pass(TIMEOUT_MS - 1);
    answers?.reply([null]);
    await settled();
    await turn();
    const read = onlyRead();
    expect(read.node).not.toBe(hung?.node);
    read.reply([Buffer.from("of d")]);
    await settled();
    expect(gathered.copy).toBe("of d");
  });
});

describe("without a node that can be asked", () => {
  /** Lets every node fail, or hang past the timeout. */
  async function exhaust(
    { pass, turn, find, newReads }: ReturnType<typeof setup>,
    how: (read: Read, index: number) => void,
  ) {
    for (let node = 0; node < NODES; node += 1) {
      find(`lost ${node}`);
      await turn();
    }
    const reads = newReads();
    expect(reads).toHaveLength(NODES);
    reads.forEach(how);
    await pass(TIMEOUT_MS);
    return reads;
  }

  it.each([
    ["all rest", (read: Read) => read.fail()],
    ["all hang", () => {}],
    ["one rests and two hang", (read: Read, index: number) => index === 0 && read.fail()],
  ])("nobody waits, and nothing is sent: %s", async (_, how) => {
    const under = setup();
    await exhaust(under, how);
    const found = ["a", "b"].map(under.find);
    await under.turn();
    expect(found).toEqual([
      { sent: 0, copy: "nothing" },
      { sent: 0, copy: "nothing" },
    ]);
    expect(under.newReads()).toEqual([]);
    expect(under.clock.waitingTimers()).toBe(0);
  });

  it("nobody waits as long as all of them owe a reply, also when their rest is over", async () => {
    const under = setup();
    await exhaust(under, () => {});
    await under.pass(3 * REST_MS);
    const found = under.find("a");
    await under.turn();
    expect(found).toEqual({ sent: 0, copy: "nothing" });
    expect(under.newReads()).toEqual([]);
  });

  it("what has gathered meanwhile is told so as soon as the last one is lost", async () => {
    const { pass, turn, find, newReads } = setup();
    for (const name of ["a", "b", "c"]) {
      find(name);
      await turn();
    }
    const gathered = find("d");
    await turn();
    await pass(TIMEOUT_MS);
    await turn();
    expect(gathered).toEqual({ sent: 0, copy: "nothing" });
    expect(newReads()).toHaveLength(NODES);
  });

  it("they are asked again after their rest, those that owe a reply once they have given it", async () => {
    const under = setup();
    const reads = await exhaust(under, (read, index) => index === 0 && read.fail());
    await under.pass(REST_MS);
    expect(await under.askedNodes()).toEqual([reads[0]?.node]);
    for (const read of reads.slice(1)) {
      read.reply([null]);
    }
    await settled();
    expect(await under.askedNodes()).toEqual([0, 1, 2]);
  });
});

describe("whatever a node replies", () => {
  it.each([
    ["no list", "a text"],
    ["nothing", undefined],
    ["null", null],
    ["an error as a value", new Error("LOADING")],
    ["an empty list", []],
    ["texts and numbers", ["a text", 7]],
    ["lists", [[Buffer.from("a")], [Buffer.from("b")]]],
  ])("is a copy only if it is bytes in a list: %s", async (_, reply) => {
    const { turn, find, onlyRead, askedNodes } = setup();
    const found = ["a", "b"].map(find);
    await turn();
    onlyRead().reply(reply);
    await settled();
    expect(found.map(({ copy }) => copy)).toEqual(["nothing", "nothing"]);
    expect(await askedNodes()).toEqual([0, 1, 2]);
  });

  it("beyond what was asked for is left alone", async () => {
    const { turn, find, onlyRead } = setup();
    const found = find("a");
    await turn();
    onlyRead().reply([Buffer.from("of a"), Buffer.from("of another")]);
    await settled();
    expect(found).toEqual({ sent: 1, copy: "of a" });
  });
});
