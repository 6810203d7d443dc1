import { readFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  authorization,
  authorize,
  capture,
  eur,
  failure,
  listEffects,
  lookup,
  readLines,
  runSandbox,
  setFaults,
  verdict,
  voidPayment,
} from "./support.js";

describe("a processor key", () => {
  it("that is repeated with the same parameters gets the first answer and no second line", async () => {
    const { call, dataDir } = await runSandbox();

    const first = await call(authorize, authorization());
    const second = await call(authorize, authorization());

    expect(second).toEqual(first);
    expect(await readLines(dataDir)).toHaveLength(1);
    expect(await call(lookup, { processorKey: "key-1" })).toMatchObject({
      result: first.result,
      calls: 2n,
    });
  });

  it.each([
    ["amount", authorization({ amount: eur(1001n) })],
    ["currency", authorization({ amount: { currencyCode: "USD", minorUnits: 1000n } })],
    ["payment", authorization({ paymentId: "payment-2" })],
    ["payment method", authorization({ paymentMethod: "tok_declined" })],
    ["kind of effect", authorization({ capture: true })],
  ])("that is repeated with another %s is refused", async (_, changed) => {
    const { call, dataDir } = await runSandbox();
    await call(authorize, authorization());

    const error = await failure(call(authorize, changed));

    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.details).toBe("processor_key was used with other parameters");
    expect(await readLines(dataDir)).toHaveLength(1);
  });

  it("of an authorization is refused for a capture and for a void", async () => {
    const { call } = await runSandbox();
    await call(authorize, authorization());
    const names = { processorKey: "key-1", paymentId: "payment-1" };

    const captured = await failure(call(capture, { ...names, amount: eur(1000n) }));
    const voided = await failure(call(voidPayment, names));

    expect([captured.code, voided.code]).toEqual([
      status.FAILED_PRECONDITION,
      status.FAILED_PRECONDITION,
    ]);
  });

  it("of 100 concurrent calls charges once, and all get the same answer", async () => {
    const { call, dataDir } = await runSandbox();

    const replies = await Promise.all(
      Array.from({ length: 100 }, () => call(authorize, authorization())),
    );

    expect(new Set(replies.map((reply) => JSON.stringify(reply, bigintAsText))).size).toBe(1);
    expect(await readLines(dataDir)).toHaveLength(1);
    expect((await call(listEffects, {})).calls).toBe(100n);
  });

  it("each of 100 concurrent calls with keys of their own charges, in one unbroken sequence", async () => {
    const { call, dataDir } = await runSandbox();

    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        call(
          authorize,
          authorization({ processorKey: `key-${index}`, paymentId: `payment-${index}` }),
        ),
      ),
    );

    const { effects } = await call(listEffects, {});
    expect(effects.map((effect) => effect.sequence)).toEqual(
      Array.from({ length: 100 }, (_, index) => BigInt(index + 1)),
    );
    expect(new Set(effects.map((effect) => effect.processorKey)).size).toBe(100);
    expect(await readLines(dataDir)).toHaveLength(100);
    const page = await call(listEffects, { afterSequence: 40n, pageSize: 10 });
    expect(page.effects).toEqual(effects.slice(40, 50));
  });

  it("is on disk before its answer leaves", async () => {
    const { call, dataDir } = await runSandbox();
    const journal = join(dataDir, "journal.jsonl");

    const missing = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const name = `number-${index}.`;
        await call(authorize, authorization({ processorKey: name, paymentId: name }));
        return readFileSync(journal, "utf8").includes(name) ? [] : [name];
      }),
    );

    expect(missing.flat()).toEqual([]);
  });
});

it("names are as long as the payment service lets them be, counted in characters", async () => {
  const { call, dataDir } = await runSandbox();
  const longest = "😀".repeat(255);

  const answer = await call(authorize, authorization({ paymentMethod: longest }));
  expect(verdict(answer)).toBe("unknown_payment_method");

  const names = { processorKey: longest, paymentId: longest };
  expect(verdict(await call(authorize, authorization(names)))).toBe("approved");
  expect(await readLines(dataDir)).toHaveLength(1);
});

describe("a request that makes no sense is refused, with the field's name", () => {
  it.each([
    ["processor_key", authorization({ processorKey: "" })],
    ["processor_key", authorization({ processorKey: "k".repeat(256) })],
    ["payment_id", authorization({ paymentId: "" })],
    ["payment_method", authorization({ paymentMethod: "" })],
    ["payment_method", authorization({ paymentMethod: "😀".repeat(256) })],
    ["amount.minor_units", authorization({ amount: eur(0n) })],
    ["amount.minor_units", authorization({ amount: eur(-1n) })],
    ["amount.currency_code", authorization({ amount: { currencyCode: "eur", minorUnits: 1n } })],
  ])("%s", async (field, request) => {
    const { call } = await runSandbox();

    const error = await failure(call(authorize, request));

    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain(`${field} takes`);
  });

  it("page_size, after_sequence and the fields of faults", async () => {
    const { call } = await runSandbox();
    const errors = await Promise.all([
      failure(call(listEffects, { pageSize: 10_001 })),
      failure(call(listEffects, { afterSequence: -1n })),
      failure(call(lookup, {})),
      failure(call(setFaults, { faults: [{}] })),
      failure(call(setFaults, { faults: [{ action: 3, code: 17 }] })),
      failure(call(setFaults, { faults: [{ action: 5 }] })),
      failure(call(setFaults, { faults: [{ action: 5, delay: { seconds: 3601n } }] })),
      failure(call(setFaults, { faults: [{ action: 1, count: -1 }] })),
    ]);

    expect(errors.map(({ code }) => code)).toEqual(errors.map(() => status.INVALID_ARGUMENT));
    expect(errors.map(({ details }) => details.split(" takes ")[0])).toEqual([
      "page_size",
      "after_sequence",
      "processor_key",
      "faults[0].action",
      "faults[0].code",
      "faults[0].delay",
      "faults[0].delay",
      "faults[0].count",
    ]);
  });
});

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
