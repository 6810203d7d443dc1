import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { EffectType, FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  authorization,
  authorize,
  capture,
  eur,
  failure,
  lookup,
  readLines,
  runSandbox,
  setFaults,
  verdict,
} from "./support.js";

const reset = { details: expect.stringContaining("Received RST_STREAM") };

describe("an armed fault", () => {
  it.each([
    ["DROP_BEFORE", reset, 0],
    ["DROP_AFTER", reset, 1],
    ["ERROR_BEFORE", { code: status.INTERNAL }, 0],
    ["ERROR_AFTER", { code: status.INTERNAL }, 1],
    ["NEVER", { code: status.DEADLINE_EXCEEDED }, 0],
  ] as const)("%s spoils one call, and the next is served", async (action, error, lines) => {
    const { call, dataDir } = await runSandbox();
    await call(setFaults, { faults: [{ action: FaultAction[action] }] });

    expect(await failure(call(authorize, authorization(), 1_500))).toMatchObject(error);

    expect(await readLines(dataDir)).toHaveLength(lines);
    expect(verdict(await call(authorize, authorization()))).toBe("approved");
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it.each([
    ["DELAY_BEFORE", 0],
    ["DELAY_AFTER", 1],
  ] as const)("%s has %s lines written when its wait has begun", async (action, lines) => {
    const { call, dataDir } = await runSandbox();
    const delay = { nanos: 800_000_000 };
    await call(setFaults, { faults: [{ action: FaultAction[action], delay }] });

    const startMs = performance.now();
    const reply = call(authorize, authorization());
    await new Promise((resolve) => setTimeout(resolve, 400));

    expect(await readLines(dataDir)).toHaveLength(lines);
    expect(verdict(await reply)).toBe("approved");
    expect(performance.now() - startMs).toBeGreaterThan(790);
  });

  it("DELAY_BEFORE lets two calls of a key race: one is its first call, the other is not", async () => {
    const { call, dataDir } = await runSandbox();
    const delay = { nanos: 200_000_000 };
    await call(setFaults, { faults: [{ action: FaultAction.DELAY_BEFORE, delay, count: 2 }] });
    const request = authorization({ paymentMethod: "tok_drop_reply" });

    const replies = await Promise.allSettled([call(authorize, request), call(authorize, request)]);

    expect(replies.map((reply) => reply.status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it("ERROR answers with the code it was given", async () => {
    const { call } = await runSandbox();
    const code = status.RESOURCE_EXHAUSTED;
    await call(setFaults, { faults: [{ action: FaultAction.ERROR_BEFORE, code }] });

    expect((await failure(call(authorize, authorization()))).code).toBe(code);
  });

  it("DECLINE is the final answer of the key", async () => {
    const { call, dataDir } = await runSandbox();
    await call(setFaults, {
      faults: [
        { action: FaultAction.DECLINE },
        { action: FaultAction.DECLINE, declineCode: "do_not_honor" },
      ],
    });

    expect(verdict(await call(authorize, authorization()))).toBe("armed_decline");
    const other = authorization({ processorKey: "key-2" });
    expect(verdict(await call(authorize, other))).toBe("do_not_honor");
    expect(verdict(await call(authorize, authorization()))).toBe("armed_decline");
    expect(await readLines(dataDir)).toEqual([]);
  });

  it("FORGET_KEY makes a repeated key charge again, also after a restart", async () => {
    const { call, dataDir, sandbox } = await runSandbox();
    const first = await call(authorize, authorization());
    await call(setFaults, { faults: [{ action: FaultAction.FORGET_KEY }] });

    const second = await call(authorize, authorization());

    expect(second).not.toEqual(first);
    expect(await readLines(dataDir)).toHaveLength(2);
    await sandbox.close();
    const restarted = await runSandbox(dataDir);
    expect(await restarted.call(authorize, authorization())).toEqual(second);
    expect(await readLines(dataDir)).toHaveLength(2);
  });

  it.each([
    ["tok_declined", "tok_visa", "approved"],
    ["tok_visa", "tok_declined", "declined"],
  ])(
    "FORGET_KEY between %s and %s leaves the newer answer, also after a restart",
    async (before, after, answer) => {
      const { call, dataDir, sandbox } = await runSandbox();
      await call(authorize, authorization({ paymentMethod: before }));
      await call(setFaults, { faults: [{ action: FaultAction.FORGET_KEY }] });
      const request = authorization({ paymentMethod: after });
      expect(verdict(await call(authorize, request))).toBe(answer);
      await sandbox.close();

      const restarted = await runSandbox(dataDir);

      expect(verdict(await restarted.call(authorize, request))).toBe(answer);
    },
  );

  it("HIDE_FROM_LOOKUP hides an effect from one lookup", async () => {
    const { call } = await runSandbox();
    await call(authorize, authorization());
    await call(setFaults, { faults: [{ action: FaultAction.HIDE_FROM_LOOKUP }] });
    expect(verdict(await call(authorize, authorization()))).toBe("approved");

    expect(await call(lookup, { processorKey: "key-1" })).toMatchObject({ calls: 0n });
    expect(verdict(await call(lookup, { processorKey: "key-1" }))).toBe("approved");
  });

  it("meets as many calls as its count says, in the order of the list", async () => {
    const { call } = await runSandbox();
    await call(setFaults, {
      faults: [
        { action: FaultAction.ERROR_BEFORE, code: status.UNAVAILABLE, count: 2 },
        { action: FaultAction.ERROR_BEFORE, code: status.ABORTED },
      ],
    });

    const codes: number[] = [];
    for (const _ of [1, 2, 3]) {
      codes.push((await failure(call(authorize, authorization()))).code);
    }

    expect(codes).toEqual([status.UNAVAILABLE, status.UNAVAILABLE, status.ABORTED]);
    expect(verdict(await call(authorize, authorization()))).toBe("approved");
  });

  it("meets only the kind of effect and the key that it names", async () => {
    const { call } = await runSandbox();
    await call(setFaults, {
      faults: [
        { action: FaultAction.DECLINE, effectType: EffectType.CAPTURE, declineCode: "by_type" },
        { action: FaultAction.DECLINE, processorKey: "key-2", declineCode: "by_key" },
      ],
    });

    expect(verdict(await call(authorize, authorization()))).toBe("approved");
    const other = authorization({ processorKey: "key-2", paymentId: "payment-2" });
    expect(verdict(await call(authorize, other))).toBe("by_key");
    const captured = { processorKey: "key-3", paymentId: "payment-1", amount: eur(1n) };
    expect(verdict(await call(capture, captured))).toBe("by_type");
  });

  it("is gone once others are armed", async () => {
    const { call } = await runSandbox();
    await call(setFaults, { faults: [{ action: FaultAction.DECLINE, count: 100 }] });
    await call(setFaults, {});

    expect(verdict(await call(authorize, authorization()))).toBe("approved");
  });
});
