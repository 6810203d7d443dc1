import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ClaimLost, Parked } from "../../../src/idempotency/answers/errors.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { ProcessorUnknown } from "../../../src/payments/processor.js";
import { inTransaction } from "../../../src/runtime/transaction.js";
import {
  approve,
  captureRequest,
  createRequest,
  decline,
  dropReply,
  entriesOf,
  eventsOf,
  heldAnswer,
  type PaymentsUnderTest,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments.stop());

const approved = Promise.resolve({ kind: "approved" } as const);
const created = ["1 PROCESSING", "2 AUTHORIZED"];

async function count(table: "operations" | "payments", id: string): Promise<number> {
  const column = table === "payments" ? "id" : "payment_id";
  const { rows } = await payments.pool.query(`SELECT FROM ${table} WHERE ${column} = $1`, [id]);
  return rows.length;
}

describe("an owner that dies", () => {
  it("before it begins: the next attempt begins", async () => {
    const first = await payments.claim("CreatePayment", "before-begin");
    const next = await payments.takeOver(first);
    await payments.serve(scripted(approve)).createPayment(createRequest(), next);
    expect(await eventsOf(payments.pool, paymentIdOf(next.execution.scope))).toEqual(created);
  });

  it("before it asks the processor: the next attempt asks, without beginning again", async () => {
    const signal = AbortSignal.abort();
    const first = await payments.claim("CreatePayment", "before-processor", { signal });
    const unused = scripted(approve);
    await expect(payments.serve(unused).createPayment(createRequest(), first)).rejects.toThrow();
    expect(unused.calls).toEqual([]);
    const id = paymentIdOf(first.execution.scope);
    expect(await eventsOf(payments.pool, id)).toEqual(["1 PROCESSING"]);

    const next = await payments.takeOver(first);
    await payments.serve(scripted(approve)).createPayment(createRequest(), next);
    expect(await eventsOf(payments.pool, id)).toEqual(created);
    expect(await count("operations", id)).toBe(1);
  });

  it("after the processor acted: the next attempt repeats the same processor key", async () => {
    const first = await payments.claim("CreatePayment", "after-processor");
    const held = heldAnswer();
    const before = scripted(held.script);
    void payments
      .serve(before)
      .createPayment(createRequest(), first)
      .catch(() => {});
    await held.asked;
    const next = await payments.takeOver(first);
    const after = scripted(approve);
    await payments.serve(after).createPayment(createRequest(), next);
    expect(after.calls).toEqual(before.calls);
    expect(await eventsOf(payments.pool, paymentIdOf(next.execution.scope))).toEqual(created);
  });

  it("after it finished: the next attempt answers without asking the processor", async () => {
    const first = await payments.claim("CreatePayment", "after-finish");
    const service = payments.serve(scripted(approve));
    const answer = await service.createPayment(createRequest(), first);
    // As if an operator had given the key back.
    await payments.pool.query("DELETE FROM idempotency_records WHERE idempotency_key = $1", [
      "after-finish",
    ]);
    const again = await payments.claim("CreatePayment", "after-finish");
    const unused = scripted(decline);
    expect(await payments.serve(unused).createPayment(createRequest(), again)).toEqual(answer);
    expect(unused.calls).toEqual([]);
  });

  it("a stored capture goes on with its own amount, whatever the payment has become", async () => {
    const id = await payments.createPayment("stored-amount");
    const first = await payments.claim("CapturePayment", "stored-amount");
    const lost = payments
      .serve(scripted(dropReply))
      .capturePayment(captureRequest(id, 400n), first);
    await expect(lost).rejects.toBeInstanceOf(ProcessorUnknown);
    const other = await payments.claim("CapturePayment", "stored-amount-other");
    await payments.serve(scripted(approve)).capturePayment(captureRequest(id, 600n), other);

    const next = await payments.takeOver(first);
    const processor = scripted(approve);
    // A newer build may not accept the request any more; the operation has begun.
    await payments.serve(processor).capturePayment(captureRequest("", 0n), next);
    expect(processor.calls).toMatchObject([{ method: "capture", minorUnits: 400n }]);
    expect(await eventsOf(payments.pool, id)).toEqual([
      ...created,
      "3 PARTIALLY_CAPTURED",
      "4 CAPTURED",
    ]);
  });
});

describe("an answer of the processor that is not known", () => {
  it("leaves the payment unknown, and the same key finds it out", async () => {
    const first = await payments.claim("CreatePayment", "unknown");
    const processor = scripted(dropReply);
    const call = () => payments.serve(processor).createPayment(createRequest(), first);
    await expect(call()).rejects.toThrow("not known: connection reset");
    await expect(call()).rejects.toThrow("not known: connection reset");
    const next = await payments.takeOver(first);
    await payments.serve(scripted(approve)).createPayment(createRequest(), next);
    expect(await eventsOf(payments.pool, paymentIdOf(next.execution.scope))).toEqual([
      "1 PROCESSING",
      "2 UNKNOWN",
      "3 AUTHORIZED",
    ]);
  });

  it("is parked past the processor's window for keys: nothing is sent again", async () => {
    const first = await payments.claim("CreatePayment", "parked");
    await expect(
      payments.serve(scripted(dropReply)).createPayment(createRequest(), first),
    ).rejects.toBeInstanceOf(ProcessorUnknown);
    const next = await payments.takeOver(first);
    const processor = scripted(approve);
    const windowMs = 1; // long over
    await expect(
      payments.serve(processor, { windowMs }).createPayment(createRequest(), next),
    ).rejects.toBeInstanceOf(Parked);
    expect(processor.calls).toEqual([]);
    await payments.serve(processor).createPayment(createRequest(), next);
    expect(processor.calls).toHaveLength(1);
  });
});

describe("an owner that slept past its lease", () => {
  it("begins nothing", async () => {
    const late = await payments.claim("CreatePayment", "late-begin");
    await payments.takeOver(late);
    const processor = scripted(approve);
    await expect(
      payments.serve(processor).createPayment(createRequest(), late),
    ).rejects.toBeInstanceOf(ClaimLost);
    expect(processor.calls).toEqual([]);
    expect(await count("payments", paymentIdOf(late.execution.scope))).toBe(0);
  });

  it("finishes nothing", async () => {
    const id = await payments.createPayment("late-finish");
    const late = await payments.claim("CapturePayment", "late-finish");
    const held = heldAnswer();
    const call = payments.serve(scripted(held.script)).capturePayment(captureRequest(id), late);
    await held.asked;
    const next = await payments.takeOver(late);
    held.give(approved);
    await expect(call).rejects.toBeInstanceOf(ClaimLost);
    expect(await eventsOf(payments.pool, id)).toEqual(created);
    expect(await entriesOf(payments.pool, id)).toEqual([]);

    await payments.serve(scripted(approve)).capturePayment(captureRequest(id), next);
    expect(await eventsOf(payments.pool, id)).toEqual([...created, "3 CAPTURED"]);
    expect(await entriesOf(payments.pool, id)).toHaveLength(2);
  });

  it("among others of one batch: it alone fails, and changes nothing", async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) => payments.createPayment(`late-among-${index}`)),
    );
    const contexts = await Promise.all(
      ids.map((id) => payments.claim("CapturePayment", `late-among-${id}`)),
    );
    const [late, ...others] = contexts;
    const [id = "", ...otherIds] = ids;
    if (late === undefined) {
      throw new Error("unreachable");
    }
    const next = await payments.takeOver(late);
    const processor = scripted(approve);
    const service = payments.serve(processor);
    const [lost, ...captures] = await Promise.allSettled(
      [late, ...others].map((context, index) =>
        service.capturePayment(captureRequest(ids[index] ?? ""), context),
      ),
    );
    expect(lost).toMatchObject({ status: "rejected", reason: expect.any(ClaimLost) });
    expect(captures.map(({ status }) => status)).toEqual(others.map(() => "fulfilled"));
    expect(processor.calls).toHaveLength(others.length);
    expect(await count("operations", id)).toBe(1);
    expect(await eventsOf(payments.pool, id)).toEqual(created);
    const { rows } = await payments.pool.query(
      "SELECT count(DISTINCT xmin::text) FROM operations WHERE kind = 'capture' AND payment_id = ANY($1)",
      [otherIds],
    );
    expect(rows).toEqual([{ count: "1" }]);
    await service.capturePayment(captureRequest(id), next);
    expect(await eventsOf(payments.pool, id)).toEqual([...created, "3 CAPTURED"]);
  });

  it("makes nothing unknown that its successor knows", async () => {
    const late = await payments.claim("CreatePayment", "late-unknown");
    const held = heldAnswer();
    const call = payments.serve(scripted(held.script)).createPayment(createRequest(), late);
    await held.asked;
    const next = await payments.takeOver(late);
    await payments.serve(scripted(approve)).createPayment(createRequest(), next);
    held.give(Promise.reject(new Error("timeout")));
    await expect(call).rejects.toBeInstanceOf(ClaimLost);
    expect(await eventsOf(payments.pool, paymentIdOf(late.execution.scope))).toEqual(created);
  });
});

it("a database that lost every row makes the same payment id and the same processor key", async () => {
  const restored = await startPayments();
  const ask = async (on: PaymentsUnderTest) => {
    const processor = scripted(approve);
    const context = await on.claim("CreatePayment", "restored");
    const { payment } = await on.serve(processor).createPayment(createRequest(), context);
    return { id: payment?.id, calls: processor.calls };
  };
  expect(await ask(restored)).toEqual(await ask(payments));
  await restored.stop();
});

it("a connection that breaks in a transaction fails that transaction alone", async () => {
  const broken = inTransaction(payments.pool, async (transaction) => {
    const { rows } = await transaction.query("SELECT pg_backend_pid() AS pid");
    await Promise.all([
      transaction.query("SELECT pg_sleep(60)"),
      payments.pool.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]),
    ]);
  });
  await expect(broken).rejects.toThrow();
  await expect(payments.pool.query("SELECT 1")).resolves.toBeDefined();
});
