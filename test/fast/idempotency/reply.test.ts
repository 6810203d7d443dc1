import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  errorOutcome,
  PUSHBACK_TRAILER,
  refusal,
} from "../../../src/idempotency/answers/errors.js";
import {
  finalReply,
  firstReply,
  REPLAYED_ENTRY,
  refusedReply,
  replayedReply,
} from "../../../src/idempotency/answers/reply.js";
import { type Outcome, okOutcome } from "../../../src/idempotency/port/outcome.js";
import { describeError } from "../../support/idempotency/calls.js";
import { errorOf } from "../../support/idempotency/replies.js";

const okWithMetadata: Outcome = {
  ...okOutcome(new Uint8Array([1])),
  headers: [["x-a", "1"]],
  trailers: [["x-b-bin", new Uint8Array([2])]],
};

describe("the reply to an OK", () => {
  it("is the outcome itself, the first time", () => {
    expect(firstReply(okWithMetadata)).toEqual({ ...okWithMetadata, replayed: false });
    expect(finalReply(okWithMetadata)).toEqual({ ...okWithMetadata, replayed: false });
  });

  it("is marked in its headers when it is given again", () => {
    expect(replayedReply(okWithMetadata)).toEqual({
      ...okWithMetadata,
      headers: [["x-a", "1"], REPLAYED_ENTRY],
      replayed: true,
    });
  });
});

describe("the reply to an error", () => {
  const error = errorOutcome(describeError(Code.NOT_FOUND));
  const withDelay = errorOutcome({ ...describeError(Code.ABORTED), retryDelayMs: 70.2 });

  it("stops native retries where it names no delay", () => {
    expect(errorOf(firstReply(error)).pushbacks).toEqual(["-1"]);
  });

  it("names its delay once, in whole milliseconds, where it has one", () => {
    expect(errorOf(firstReply(withDelay))).toMatchObject({ retryDelayMs: 71, pushbacks: ["71"] });
  });

  it("stops native retries if it is final, whatever delay it names", () => {
    expect(errorOf(finalReply(withDelay)).pushbacks).toEqual(["-1"]);
    expect(errorOf(replayedReply(withDelay)).pushbacks).toEqual(["-1"]);
  });

  it("is marked in its trailers, and nowhere else, when it is given again", () => {
    const first = finalReply(error);
    expect(replayedReply(error)).toEqual({
      ...first,
      trailers: [...first.trailers, REPLAYED_ENTRY],
      replayed: true,
    });
  });

  it("leaves the stored outcome as it is", () => {
    const before = structuredClone(withDelay.trailers);
    finalReply(withDelay);
    replayedReply(withDelay);
    expect(withDelay.trailers).toEqual(before);
    expect(before.filter(([name]) => name === PUSHBACK_TRAILER)).toHaveLength(1);
  });
});

describe("a refusal", () => {
  it("has trailers alone", () => {
    const reply = refusedReply(refusal("REQUEST_IN_PROGRESS", "busy", { retryDelayMs: 50 }));
    expect(reply).toMatchObject({ code: Code.ABORTED, headers: [], replayed: false });
    expect(reply.body).toHaveLength(0);
    expect(errorOf(reply)).toEqual({
      reason: "REQUEST_IN_PROGRESS",
      next: "retry_same_key",
      retryDelayMs: 50,
      pushbacks: ["50"],
    });
  });
});
