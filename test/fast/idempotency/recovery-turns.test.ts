import { describe, expect, it } from "vitest";
import { inTurns } from "../../../src/idempotency/recovery/recovery-turns.js";

function claim(name: string, tenant: string, leaseUntilMs: number, attempts = 1) {
  return { name, tenant, leaseUntilMs, attempts };
}

const namesOf = (claims: readonly { name: string }[]) => claims.map(({ name }) => name).join(" ");

describe("the turns of claims past their lease", () => {
  it("begin with the newest, the oldest and one that goes on failing", () => {
    const claims = [
      claim("x", "t", 0, 9),
      claim("a", "t", 1),
      claim("b", "t", 2),
      claim("c", "t", 3),
    ];
    expect(namesOf(inTurns(claims))).toBe("c a x b");
  });

  it("come to every tenant before any has its second one of a kind", () => {
    const many = Array.from({ length: 50 }, (_, index) => claim(`m${index}`, "many", index));
    const order = inTurns([...many, claim("one", "one", 25)]);
    expect(namesOf(order.slice(0, 3))).toBe("one m49 m0");
  });

  it("keep all claims, each once", () => {
    const claims = Array.from({ length: 200 }, (_, index) =>
      claim(String(index), `t${index % 7}`, (index * 37) % 101, 1 + (index % 5)),
    );
    const order = inTurns(claims);
    expect(new Set(order)).toEqual(new Set(claims));
    expect(order).toHaveLength(claims.length);
  });
});
