import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  authorization,
  authorize,
  failure,
  listEffects,
  lookup,
  readLines,
  runSandbox,
  verdict,
} from "./support.js";

describe("the payment method's token decides how the sandbox answers", () => {
  it("tok_visa approves, with one journal line that says what was charged", async () => {
    const { call, dataDir } = await runSandbox();

    const reply = await call(authorize, authorization({ capture: true }));

    expect(verdict(reply)).toBe("approved");
    const lines = await readLines(dataDir);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        sequence: "1",
        type: "EFFECT_TYPE_AUTHORIZE_CAPTURE",
        processor_key: "key-1",
        payment_id: "payment-1",
        amount: { currency_code: "EUR", minor_units: "1000" },
        payment_method: "tok_visa",
        create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    ]);
  });

  it.each([
    ["tok_declined", "declined"],
    ["tok_insufficient_funds", "insufficient_funds"],
    ["tok_from_elsewhere", "unknown_payment_method"],
  ])("%s declines with %s, for good and with no journal line", async (paymentMethod, code) => {
    const { call, dataDir } = await runSandbox();

    expect(verdict(await call(authorize, authorization({ paymentMethod })))).toBe(code);
    expect(verdict(await call(authorize, authorization({ paymentMethod })))).toBe(code);

    expect(await readLines(dataDir)).toEqual([]);
    expect(await readLines(dataDir, "declines.jsonl")).toHaveLength(1);
  });

  it("tok_slow approves after 3 s, also for a client that has hung up meanwhile", async () => {
    const { call, dataDir } = await runSandbox();
    const patient = authorization({ paymentMethod: "tok_slow" });
    const hasty = { ...patient, processorKey: "key-2", paymentId: "payment-2" };

    const startMs = performance.now();
    const [reply, error] = await Promise.all([
      call(authorize, patient),
      failure(call(authorize, hasty, 200)),
    ]);

    expect(performance.now() - startMs).toBeGreaterThan(2_900);
    expect(verdict(reply)).toBe("approved");
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => readLines(dataDir)).toHaveLength(2);
  });

  it("tok_drop_reply charges, drops the first call and answers the next", async () => {
    const { call, dataDir } = await runSandbox();
    const request = authorization({ paymentMethod: "tok_drop_reply" });

    const error = await failure(call(authorize, request));

    expect(error.details).toContain("Received RST_STREAM");
    expect(error.metadata.toJSON()).toEqual({});
    expect(await readLines(dataDir)).toHaveLength(1);
    expect(verdict(await call(authorize, request))).toBe("approved");
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it("a dropped call leaves the other calls on its connection alone", async () => {
    const { call } = await runSandbox();
    const slow = call(authorize, authorization({ paymentMethod: "tok_slow" }));

    await failure(
      call(
        authorize,
        authorization({
          processorKey: "key-2",
          paymentId: "payment-2",
          paymentMethod: "tok_drop_reply",
        }),
      ),
    );

    expect(verdict(await slow)).toBe("approved");
  });

  it("tok_error_after_charge charges, answers INTERNAL first and then the approval", async () => {
    const { call, dataDir } = await runSandbox();
    const request = authorization({ paymentMethod: "tok_error_after_charge" });

    const error = await failure(call(authorize, request));

    expect(error.code).toBe(status.INTERNAL);
    expect(error.details).toBe("the sandbox was told to fail this call");
    expect(await readLines(dataDir)).toHaveLength(1);
    expect(verdict(await call(authorize, request))).toBe("approved");
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it("tok_unreachable drops two calls of a key before doing anything, then approves", async () => {
    const { call, dataDir } = await runSandbox();
    const request = authorization({ paymentMethod: "tok_unreachable" });

    for (const _ of [1, 2]) {
      const error = await failure(call(authorize, request));
      expect(error.details).toContain("Received RST_STREAM");
      expect(await readLines(dataDir)).toEqual([]);
    }

    expect(verdict(await call(authorize, request))).toBe("approved");
    expect((await call(lookup, { processorKey: "key-1" })).calls).toBe(3n);
  });

  it("tok_never neither answers nor does anything", async () => {
    const { call, dataDir } = await runSandbox();
    const request = authorization({ paymentMethod: "tok_never" });

    const error = await failure(call(authorize, request, 300));

    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(await readLines(dataDir)).toEqual([]);
  });

  it.each(["tok_never", "tok_slow"])("%s does not hold up the end", async (paymentMethod) => {
    const { call, dataDir, sandbox } = await runSandbox();
    const unanswered = failure(call(authorize, authorization({ paymentMethod })));
    await expect.poll(async () => (await call(listEffects, {})).calls).toBe(1n);

    const startMs = performance.now();
    await sandbox.close();
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect((await unanswered).details).toContain("Received RST_STREAM");
    expect(await readLines(dataDir)).toEqual([]);
  });
});
