import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countGrant,
  countHolder,
  countRefusal,
  countSilence,
  createTally,
  isStillHeld,
  judge,
  majorityOf,
  type Tally,
  type Verdict,
} from "../../../src/stores/redis/quorum.js";

type Vote = "grant" | "silence" | "refusal" | "holder a" | "holder b";

function count(tally: Tally, vote: Vote): void {
  switch (vote) {
    case "grant":
      countGrant(tally);
      break;
    case "silence":
      countSilence(tally);
      break;
    case "refusal":
      countRefusal(tally);
      break;
    default:
      countHolder(tally, vote);
  }
}

/** The verdict, and after how many votes it stood. */
function verdictOn(votes: readonly Vote[], nodes = 3): [Verdict | undefined, number] {
  const tally = createTally(nodes);
  for (const [index, vote] of votes.entries()) {
    count(tally, vote);
    const verdict = judge(tally);
    if (verdict !== undefined) {
      return [verdict, index + 1];
    }
  }
  return [undefined, votes.length];
}

describe("the nodes' votes on a claim", () => {
  const cases: [string, Vote[], Verdict | undefined, number][] = [
    ["a majority that gives the lock", ["grant", "grant"], "granted", 2],
    ["a lock without the first node", ["silence", "grant", "grant"], "granted", 3],
    ["a majority that names one holder", ["holder a", "holder a"], "held", 2],
    ["one holder beside a dead node", ["silence", "holder a", "holder a"], "held", 3],
    ["two holders, each of one node", ["holder a", "holder b", "refusal"], "undecided", 3],
    [
      "a holder of one node and a lock of another",
      ["holder a", "grant", "holder b"],
      "undecided",
      3,
    ],
    ["a majority that refuses", ["refusal", "refusal"], "undecided", 2],
    ["a majority that says nothing", ["silence", "silence"], "no_quorum", 2],
    ["a lock of the only node that speaks", ["grant", "silence", "silence"], "no_quorum", 3],
    ["a single grant", ["grant"], undefined, 1],
    ["a grant and a refusal", ["grant", "refusal"], undefined, 2],
  ];
  it.each(cases)("say of %s, as soon as nothing can change it", (_, votes, verdict, after) => {
    expect(verdictOn(votes)).toEqual([verdict, after]);
  });

  const votes = fc.constantFrom<Vote>("grant", "silence", "refusal", "holder a", "holder b");
  const ballots = fc
    .constantFrom(1, 3, 5, 7)
    .chain((nodes) => fc.array(votes, { minLength: nodes, maxLength: nodes }));

  it("always end in a verdict, that a majority stands for", () => {
    fc.assert(
      fc.property(ballots, (cast) => {
        const [verdict] = verdictOn(cast, cast.length);
        const majority = majorityOf(cast.length);
        const times = (vote: Vote) => cast.filter((one) => one === vote).length;
        const mostHolders = Math.max(times("holder a"), times("holder b"));
        expect(verdict).toBeDefined();
        expect(verdict === "granted").toBe(times("grant") >= majority);
        expect(verdict === "held").toBe(mostHolders >= majority);
        if (verdict === "no_quorum") {
          expect(times("silence")).toBeGreaterThanOrEqual(majority);
        }
      }),
    );
  });

  it("never give the lock to two claims that every node answers one after the other", () => {
    const first = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(first, (isFirst) => {
        const one = isFirst.map((yes): Vote => (yes ? "grant" : "refusal"));
        const other = isFirst.map((yes): Vote => (yes ? "refusal" : "grant"));
        const granted = [one, other].filter((cast) => verdictOn(cast, 5)[0] === "granted");
        expect(granted).toHaveLength(1);
      }),
    );
  });
});

describe("a lock's time", () => {
  it("counts from when it was asked for, less Redlock's drift", () => {
    const lock = { sentAtMs: 1_000, ttlMs: 500 };
    // 500 ms less a hundredth and 2 ms.
    expect(isStillHeld({ ...lock, nowMs: 1_492 })).toBe(true);
    expect(isStillHeld({ ...lock, nowMs: 1_493 })).toBe(false);
  });

  it("is over at once where it is shorter than the drift", () => {
    expect(isStillHeld({ sentAtMs: 0, ttlMs: 2, nowMs: 0 })).toBe(false);
  });
});
