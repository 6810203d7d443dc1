import { describe, expect, it } from "vitest";
import { ClaimLost } from "../../../src/idempotency/answers/errors.js";
import { type PlannedStep, takeStep } from "../../../src/payments/postgres/planned-step.js";
import type { Written } from "../../../src/runtime/owned-work.js";

/** An amount that is planned from a balance, for the account of that name. */
interface Item {
  readonly name: string;
  readonly known?: number;
}

/** A step over balances, which others change between its rounds as a test says. */
function stepOver(
  balances: Map<string, number>,
  change: (round: number) => void = () => {},
  lost: readonly string[] = [],
) {
  let round = 0;
  const reads: string[][] = [];
  const step: PlannedStep<Item, number, { readonly from: number }> = {
    knownOf: ({ known }) => known,
    async read(items) {
      reads.push(items.map(({ name }) => name));
      return items.map(({ name }) => balances.get(name) ?? 0);
    },
    plan(_, known) {
      if (known < 1) {
        throw new Error("nothing is left");
      }
      return { from: known };
    },
    async write(planned) {
      change(round);
      round += 1;
      return planned.map(({ item: { name }, plan: { from } }): Written => {
        if (lost.includes(name)) {
          return "lost";
        }
        if (balances.get(name) !== from) {
          return "refused";
        }
        balances.set(name, from - 1);
        return "written";
      });
    },
  };
  return { step, reads };
}

describe("a step that is planned from what is known", () => {
  it("reads nothing where all is as it was", async () => {
    const { step, reads } = stepOver(new Map([["a", 5]]));
    expect(await takeStep(step, [{ name: "a", known: 5 }])).toEqual([
      { ok: true, value: { from: 5 } },
    ]);
    expect(reads).toEqual([]);
  });

  it("is planned again for those alone that have changed", async () => {
    const balances = new Map([
      ["a", 5],
      ["b", 7],
    ]);
    const { step, reads } = stepOver(balances);
    const results = await takeStep(step, [
      { name: "a", known: 5 },
      { name: "b", known: 8 },
    ]);
    expect(results).toEqual([
      { ok: true, value: { from: 5 } },
      { ok: true, value: { from: 7 } },
    ]);
    expect(reads).toEqual([["b"]]);
    expect([...balances.values()]).toEqual([4, 6]);
  });

  it("is not refused by what an item brought along, but by what is there", async () => {
    const { step } = stepOver(new Map([["a", 3]]));
    const results = await takeStep(step, [
      { name: "a", known: 0 },
      { name: "b", known: 0 },
    ]);
    expect(results[0]).toEqual({ ok: true, value: { from: 3 } });
    expect(results[1]).toMatchObject({ ok: false, error: { message: "nothing is left" } });
  });

  it("tells those that have lost their claims, and writes the others", async () => {
    const balances = new Map([
      ["a", 5],
      ["b", 5],
    ]);
    const { step } = stepOver(balances, undefined, ["a"]);
    const [lost, written] = await takeStep(step, [
      { name: "a", known: 5 },
      { name: "b", known: 5 },
    ]);
    expect(lost).toMatchObject({ ok: false, error: expect.any(ClaimLost) });
    expect(written).toEqual({ ok: true, value: { from: 5 } });
  });

  it("ends where others are always first", async () => {
    const balances = new Map([["a", 1_000]]);
    const { step, reads } = stepOver(balances, (round) => balances.set("a", 2_000 + round));
    const [result] = await takeStep(step, [{ name: "a", known: 1_000 }]);
    expect(result).toMatchObject({ ok: false, error: { message: /changed 20 times/ } });
    expect(reads).toHaveLength(19);
  });

  it("fails as a whole in its first round, and later for those alone that are open", async () => {
    const failing = (at: number) => (round: number) => {
      if (round === at) {
        throw new Error("the database is away");
      }
    };
    const items = [
      { name: "a", known: 5 },
      { name: "b", known: 8 },
    ];
    const fresh = () =>
      new Map([
        ["a", 5],
        ["b", 7],
      ]);
    await expect(takeStep(stepOver(fresh(), failing(0)).step, items)).rejects.toThrow("away");
    const [written, failed] = await takeStep(stepOver(fresh(), failing(1)).step, items);
    expect(written).toEqual({ ok: true, value: { from: 5 } });
    expect(failed).toMatchObject({ ok: false, error: { message: "the database is away" } });
  });
});
