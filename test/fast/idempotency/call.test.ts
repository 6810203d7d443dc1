import { describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { CallError } from "../../../src/idempotency/answers/errors.js";
import {
  DEFAULT_CALLER,
  type Execution,
  requireExecution,
} from "../../../src/idempotency/execution/call.js";

const { signal } = new AbortController();

const execution: Execution = {
  scope: { tenant: "default", operation: "acme.v1.Orders/PlaceOrder", key: "key-1" },
  fingerprint: { version: 1, canonical: new Uint8Array(32), raw: new Uint8Array(32) },
  fencingToken: 1n,
  attempt: 1,
  signal,
  elsewhere: (work) => work(),
  throwIfAborted() {},
  ownership: {
    store: { ownWithin: async () => [], completeWithin: async () => [] },
    claim: {
      scope: { tenant: "default", operation: "acme.v1.Orders/PlaceOrder", key: "key-1" },
      claimId: "claim-1",
      fingerprint: { version: 1, canonical: new Uint8Array(32), raw: new Uint8Array(32) },
      fencingToken: 1n,
      attempt: 1,
    },
    retentionMs: 1,
    onWritten() {},
  },
  async assertOwner() {},
  async completeWithin() {},
};

describe("a handler that needs a claim", () => {
  it("gets that of a call with a key", () => {
    expect(requireExecution({ caller: DEFAULT_CALLER, execution, signal })).toBe(execution);
  });

  it("refuses a call without a key as its caller's mistake", () => {
    const run = () => requireExecution({ caller: DEFAULT_CALLER, signal });
    expect(run).toThrow(CallError);
    expect(run).toThrow(
      expect.objectContaining({
        description: expect.objectContaining({
          code: Code.INVALID_ARGUMENT,
          reason: "IDEMPOTENCY_KEY_MISSING",
        }),
      }),
    );
  });
});
