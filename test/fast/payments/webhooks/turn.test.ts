import { describe, expect, it } from "vitest";
import { createTurn } from "../../../../src/payments/webhooks/turn.js";

/** Work that tells when it begins, and that the test ends. */
function heldWork() {
  const ends: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => ends.push(resolve));
  return { work, begun: () => ends.length, end: () => ends.at(-1)?.() };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a turn", () => {
  it("is done by one at a time, and once more where it was asked for meanwhile", async () => {
    const { work, begun, end } = heldWork();
    const turn = createTurn(work);
    const all = [turn(), turn(), turn()];
    expect(begun()).toBe(1);
    end();
    await settled();
    expect(begun()).toBe(2);
    end();
    await Promise.all(all);
    expect(begun()).toBe(2);
    void turn();
    expect(begun()).toBe(3);
  });

  it("tells when nothing of it is under way", async () => {
    const { work, end } = heldWork();
    const turn = createTurn(work);
    await turn.ended();
    let isEnded = false;
    void turn();
    const ended = turn.ended().then(() => {
      isEnded = true;
    });
    await settled();
    expect(isEnded).toBe(false);
    end();
    await ended;
  });
});
