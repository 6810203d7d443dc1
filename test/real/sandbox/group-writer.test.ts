import { describe, expect, it } from "vitest";
import { createGroupWriter } from "../../../src/sandbox/group-writer.js";

/** A writer whose writes end when the test says so. */
function heldWriter() {
  const groups: string[][] = [];
  const failures: string[] = [];
  let end: { succeed: () => void; fail: (error: Error) => void } | undefined;
  const writer = createGroupWriter<string>({
    write: (items) => {
      groups.push([...items]);
      return new Promise((succeed, fail) => {
        end = { succeed, fail };
      });
    },
    waitingLimit: 2,
    onFailure: (error) => failures.push(error.message),
  });
  return {
    writer,
    groups,
    failures,
    succeed: () => end?.succeed(),
    fail: (reason: string) => end?.fail(new Error(reason)),
  };
}

describe("writes to the journal", () => {
  it("gather while one is on its way, up to the limit, and then share the next", async () => {
    const { writer, groups, succeed } = heldWriter();
    const first = writer.append("a");
    const others = [writer.append("b")];
    expect(writer.hasRoom()).toBe(true);
    others.push(writer.append("c"));
    expect(writer.hasRoom()).toBe(false);

    succeed();
    await first;
    expect(groups).toEqual([["a"], ["b", "c"]]);
    succeed();
    await Promise.all(others);

    const last = writer.append("d");
    succeed();
    await last;
    expect(groups).toEqual([["a"], ["b", "c"], ["d"]]);
  });

  it("are refused for good after one that failed, and nothing more is written", async () => {
    const { writer, groups, failures, fail } = heldWriter();
    const first = writer.append("a");
    const second = writer.append("b");

    fail("ENOSPC");

    const message = "the journal cannot be written: Error: ENOSPC";
    await expect(first).rejects.toThrow(message);
    await expect(second).rejects.toThrow(message);
    await expect(writer.append("c")).rejects.toThrow(message);
    await writer.settled();
    expect(groups).toEqual([["a"]]);
    expect(failures).toEqual([message]);
  });
});
