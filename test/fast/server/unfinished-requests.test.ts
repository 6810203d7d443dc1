import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createUnfinishedRequests } from "../../../src/server/unfinished-requests.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched() {
  const givenUp: string[] = [];
  const unfinished = createUnfinishedRequests(
    { maxBytesPerConnection: 100, maxBytes: 250, timeoutMs: 1_000 },
    () => Date.now(),
  );
  const begin = (connection: object, name: string) =>
    unfinished.begin(connection, (why) => givenUp.push(`${name} ${why}`));
  return { unfinished, begin, givenUp };
}

it("a request that is not complete in time is given up, once", () => {
  const { begin, givenUp, unfinished } = watched();
  begin({}, "stalled").received(10);
  vi.advanceTimersByTime(900);
  begin({}, "younger");
  const complete = begin({}, "complete");
  complete.end();
  vi.advanceTimersByTime(400);
  expect(givenUp).toEqual(["stalled late"]);
  expect(unfinished.count()).toBe(1);
});

it("what one connection holds is bounded, and free again once it is complete", () => {
  const { begin, givenUp } = watched();
  const connection = {};
  const first = begin(connection, "first");
  first.received(60);
  begin(connection, "second").received(60);
  expect(givenUp).toEqual(["second too_much"]);
  first.end();
  begin(connection, "third").received(100);
  expect(givenUp).toEqual(["second too_much"]);
});

it("past the bound for all, the connection that holds the most loses its requests", () => {
  const { begin, givenUp } = watched();
  const greedy = {};
  begin(greedy, "greedy 1").received(50);
  begin(greedy, "greedy 2").received(50);
  begin({}, "large").received(90);
  begin({}, "small").received(61);
  expect(givenUp).toEqual(["greedy 1 too_much", "greedy 2 too_much"]);
});
