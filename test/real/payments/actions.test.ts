import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  type Payment,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Final, NotExecuted } from "../../../src/idempotency/answers/errors.js";
import { lookSoon } from "../../../src/payments/postgres/observe.js";
import type { Processor, ProcessorEffect } from "../../../src/payments/processor.js";
import { lookAtPayments, type WatchEvent } from "../../../src/payments/watch.js";
import {
  approve,
  cancelRequest,
  captureRequest,
  createRequest,
  decline,
  entriesOf,
  eur,
  eventsOf,
  type PaymentsUnderTest,
  type Script,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments.stop());

const REFERENCE = "pi_1";

const wantsAction: Script = async () => ({
  kind: "requires_action",
  nextAction: { redirectUrl: "https://acquirer.example/3ds" },
  reference: REFERENCE,
});

const answeredWith = (effect: ProcessorEffect | undefined, script: Script = approve) => ({
  ...scripted(script),
  lookUp: async () => effect,
});

const approved: ProcessorEffect = { decision: { kind: "approved" }, amount: eur(1000n) };

/** A payment that waits for its customer, and the answer of the call that made it. */
async function waiting(
  key: string,
  { capture = CaptureMethod.AUTOMATIC, actionTimeoutMs = 3_600_000 } = {},
) {
  const context = await payments.claim("CreatePayment", key);
  const { payment } = await payments
    .serve(scripted(wantsAction), { actionTimeoutMs })
    .createPayment(createRequest({ captureMethod: capture }), context);
  return { id: payment?.id ?? "", payment, context };
}

/** Looks once at all payments that wait, whenever they were to be looked at. */
async function look(processor: Processor): Promise<readonly WatchEvent[]> {
  await payments.pool.query(
    "UPDATE payments SET look_time = clock_timestamp() - interval '1 s' WHERE look_time IS NOT NULL",
  );
  return lookOnce(processor);
}

/** Looks at the payments that are to be looked at now. */
async function lookOnce(processor: Processor): Promise<readonly WatchEvent[]> {
  const events: WatchEvent[] = [];
  const onEvent = (event: WatchEvent) => events.push(event);
  await lookAtPayments({ pool: payments.pool, processor, onEvent }, new AbortController().signal);
  return events;
}

const statusOf = async (id: string) => {
  const payment = (await payments.getPayment(id)) as Payment | undefined;
  return payment === undefined ? undefined : PaymentStatus[payment.status];
};

/** Milliseconds since the epoch; undefined where it is not looked at. */
async function lookTimeOf(id: string): Promise<number | undefined> {
  const { rows } = await payments.pool.query<{ look_time: Date | null }>(
    "SELECT look_time FROM payments WHERE id = $1",
    [id],
  );
  return rows[0]?.look_time?.getTime();
}

async function endAll(): Promise<void> {
  await payments.pool.query("UPDATE payments SET look_time = NULL");
}

describe("a payment whose customer has to act", () => {
  it("is answered with what to do, and stored as that answer", async () => {
    const { payment, context } = await waiting("told");
    expect(payment).toMatchObject({
      status: PaymentStatus.REQUIRES_ACTION,
      authorized: eur(0n),
      nextAction: { action: { case: "redirectUrl", value: "https://acquirer.example/3ds" } },
    });
    expect(await payments.storedOutcome(context)).toMatchObject({ code: 0 });
    expect(await entriesOf(payments.pool, payment?.id ?? "")).toEqual([]);
    await endAll();
  });

  it("is captured once the processor says so, and its stored answer stays the first one", async () => {
    const { id, context } = await waiting("acted");
    const first = await payments.storedOutcome(context);
    const events = await look(answeredWith(approved));
    expect(events.map(({ type }) => type)).toEqual(["moved"]);
    expect(await payments.getPayment(id)).toMatchObject({
      status: PaymentStatus.CAPTURED,
      captured: eur(1000n),
    });
    expect(await entriesOf(payments.pool, id)).toEqual([
      "processor_receivable 1000",
      "merchant_payable -1000",
    ]);
    expect(await eventsOf(payments.pool, id)).toEqual([
      "1 PROCESSING",
      "2 REQUIRES_ACTION",
      "3 CAPTURED",
    ]);
    expect(await payments.storedOutcome(context)).toEqual(first);
  });

  it("is authorized with what later effects need, and captured by a call", async () => {
    const { id } = await waiting("manual", { capture: CaptureMethod.MANUAL });
    await look(answeredWith(approved));
    expect(await statusOf(id)).toBe("AUTHORIZED");
    const asked: unknown[] = [];
    const processor: Processor = {
      ...scripted(approve),
      capture: async (request) => {
        asked.push(request.authorization);
        return { kind: "approved" };
      },
    };
    const context = await payments.claim("CapturePayment", "manual-capture");
    await payments.serve(processor).capturePayment(captureRequest(id), context);
    expect(asked).toEqual([REFERENCE]);
    expect(await statusOf(id)).toBe("CAPTURED");
  });

  it("is declined where the processor says so", async () => {
    const { id } = await waiting("failed");
    await look(
      answeredWith({ decision: { kind: "declined", declineCode: "authentication_failed" } }),
    );
    expect(await payments.getPayment(id)).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "authentication_failed",
    });
  });

  it("waits on while nothing is known, or the processor cannot be asked", async () => {
    const { id } = await waiting("patient");
    expect(await look(answeredWith(undefined))).toEqual([]);
    expect(
      await look(answeredWith({ decision: { kind: "requires_action", nextAction: {} } })),
    ).toEqual([]);
    const away = { ...scripted(approve), lookUp: () => Promise.reject(new Error("away")) };
    expect((await look(away)).map(({ type }) => type)).toContain("processor_failed");
    expect(await statusOf(id)).toBe("REQUIRES_ACTION");
    await endAll();
  });

  it("is not moved for another amount than it is for", async () => {
    const { id } = await waiting("other-amount");
    const events = await look(answeredWith({ ...approved, amount: eur(999n) }));
    expect(events.map(({ type }) => type)).toContain("amount_differs");
    expect(await statusOf(id)).toBe("REQUIRES_ACTION");
    await endAll();
  });

  it("is given up at the processor once its time is over, and only then here", async () => {
    const { id } = await waiting("too-late", { actionTimeoutMs: 1 });
    const refusing = answeredWith(undefined, decline);
    await look(refusing);
    expect(await statusOf(id)).toBe("REQUIRES_ACTION");
    const giving = answeredWith(undefined);
    await look(giving);
    expect(giving.calls.map(({ method }) => method)).toEqual(["void"]);
    expect(refusing.calls[0]?.processorKey).toBe(giving.calls[0]?.processorKey);
    expect(await payments.getPayment(id)).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "action_expired",
    });
  });

  it("moves once, however many look at the same time", async () => {
    const { id } = await waiting("many");
    await Promise.all(Array.from({ length: 4 }, () => look(answeredWith(approved))));
    expect(await eventsOf(payments.pool, id)).toEqual([
      "1 PROCESSING",
      "2 REQUIRES_ACTION",
      "3 CAPTURED",
    ]);
    expect(await entriesOf(payments.pool, id)).toHaveLength(2);
  });

  it("may be canceled by a call, which ends the waiting", async () => {
    const { id } = await waiting("canceled");
    const capture = await payments.claim("CapturePayment", "canceled-capture");
    await expect(
      payments.serve(scripted(approve)).capturePayment(captureRequest(id), capture),
    ).rejects.toBeInstanceOf(NotExecuted);
    const cancel = await payments.claim("CancelPayment", "canceled-cancel");
    await payments.serve(scripted(approve)).cancelPayment(cancelRequest(id), cancel);
    expect(await statusOf(id)).toBe("CANCELED");
    expect(await look(answeredWith(approved))).toEqual([]);
    expect(await statusOf(id)).toBe("CANCELED");
  });
});

describe("a payment that ends at the processor while it is found to be authorized", () => {
  const manual = { capture: CaptureMethod.MANUAL };

  it("is looked at again at once, and canceled", async () => {
    const { id } = await waiting("ended-since", manual);
    const ended = answeredWith({ ...approved, endedBy: "requested_by_customer" });
    await look(ended);
    await look(ended);
    expect(await payments.getPayment(id)).toMatchObject({
      status: PaymentStatus.CANCELED,
      declineCode: "requested_by_customer",
    });
  });

  it("is canceled too where it was given up for somebody who came late", async () => {
    const { id } = await waiting("crossed", { ...manual, actionTimeoutMs: 1 });
    const late: Processor = {
      ...answeredWith({ decision: { kind: "requires_action", nextAction: {} } }),
      async void() {
        // The customer acts, and another process sees it first.
        await look(answeredWith(approved));
        expect(await statusOf(id)).toBe("AUTHORIZED");
        return { kind: "approved" };
      },
    };
    await look(late);
    await lookOnce(answeredWith({ ...approved, endedBy: "canceled_at_stripe" }));
    expect(await statusOf(id)).toBe("CANCELED");
  });
});

describe("an authorization that the acquirer gives up by itself", () => {
  const untilSoon: Script = async () => ({
    kind: "approved",
    reference: REFERENCE,
    expireTime: new Date(Date.now() + 60_000),
  });

  async function authorized(key: string, script: Script = untilSoon) {
    const context = await payments.claim("CreatePayment", key);
    const { payment } = await payments
      .serve(scripted(script))
      .createPayment(createRequest(), context);
    return payment?.id ?? "";
  }

  it("says until when it holds", async () => {
    const payment = await payments.getPayment(await authorized("expiring"));
    expect(payment?.authorizationExpireTime?.seconds).toBeGreaterThan(BigInt(0));
    await endAll();
  });

  it("is canceled once the processor says so, with the reason", async () => {
    const id = await authorized("expired");
    expect(await look(answeredWith(approved))).toEqual([]);
    expect(await statusOf(id)).toBe("AUTHORIZED");
    await look(answeredWith({ ...approved, endedBy: "authorization_expired" }));
    expect(await payments.getPayment(id)).toMatchObject({
      status: PaymentStatus.CANCELED,
      declineCode: "authorization_expired",
    });
  });

  it("is looked at again at its time, where it is looked at before", async () => {
    const id = await authorized("early");
    await look(answeredWith(approved));
    expect(await lookTimeOf(id)).toBeGreaterThan(Date.now() + 30_000);
    await endAll();
  });

  it("is not looked at any more once a part is captured", async () => {
    const id = await authorized("partly");
    expect(await lookTimeOf(id)).toBeGreaterThan(Date.now() + 30_000);
    const context = await payments.claim("CapturePayment", "partly-capture");
    await payments.serve(scripted(approve)).capturePayment(captureRequest(id, 400n), context);
    expect(await lookTimeOf(id)).toBeUndefined();
  });

  it("is looked at by a message that comes while it is being looked at", async () => {
    const id = await authorized("message");
    const processor = {
      ...scripted(approve),
      async lookUp() {
        await lookSoon(payments.pool, { tenant: "acme", id });
        return approved;
      },
    };
    await look(processor);
    expect(await lookTimeOf(id)).toBeLessThan(Date.now() + 1_000);
    await endAll();
  });

  it("refuses captures once its time is over", async () => {
    const past: Script = async () => ({ kind: "approved", expireTime: new Date(Date.now() - 1) });
    const id = await authorized("past", past);
    const processor = scripted(approve);
    const context = await payments.claim("CapturePayment", "past-capture");
    await expect(
      payments.serve(processor).capturePayment(captureRequest(id), context),
    ).rejects.toBeInstanceOf(Final);
    expect(processor.calls).toEqual([]);
    await endAll();
  });
});
