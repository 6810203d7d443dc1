import { describe, expect, it } from "vitest";
import { captureEntry } from "../../../../src/payments/processors/stripe/metadata.js";
import {
  authorization,
  authorized,
  eur,
  later,
  openStripe,
  reply,
  runDouble,
  runFace,
} from "./support.js";

it("a capture that an intent names is believed only where all that it names are captured", async () => {
  const [first, second] = [later("two", "first", 400n), later("two", "second", 400n)];
  const answer = (received: number) => ({
    id: "pi_1",
    object: "payment_intent",
    status: "requires_capture",
    amount: 1_000,
    amount_received: received,
    currency: "eur",
    latest_charge: null,
    metadata: {
      ...captureEntry(first.processorKey, 400),
      ...captureEntry(second.processorKey, 400),
    },
  });
  for (const [received, believed] of [
    [800, true],
    [400, false],
  ] as const) {
    const { apiBase } = await runDouble((_, response) => reply(response, 200, answer(received)));
    const look = openStripe({ apiBase }).lookUp({
      ...second,
      kind: "capture",
      authorization: "pi_1",
    });
    await (believed
      ? expect(look).resolves.toMatchObject({ amount: eur(400n) })
      : expect(look).rejects.toThrow("all that the intent names"));
  }
});

describe("a look-up finds every kind of effect with its amount", () => {
  it.each(["by its reference", "by our names"])("%s", async (how) => {
    const { processor } = await runFace();
    const captured = authorization("one");
    const voided = authorization("two");
    const [one, two] = [await authorized(processor, captured), await authorized(processor, voided)];
    const capture = later("one", "capture", 400n, one);
    const refund = later("one", "refund", 300n, one);
    const cancel = later("two", "void", 1n, two);
    await processor.capture(capture);
    await processor.refund(refund);
    await processor.void(cancel);
    const named = how === "by its reference";
    const lookUp = async (
      request: ReturnType<typeof later>,
      kind: "create" | "capture" | "cancel" | "refund",
      reference: string,
    ) => {
      const { authorization: _, ...nameless } = request;
      return processor.lookUp({
        ...nameless,
        kind,
        ...(named ? { authorization: reference } : {}),
      });
    };
    const approved = { kind: "approved" };
    expect(await lookUp(captured, "create", one)).toMatchObject({
      decision: { ...approved, reference: one },
      amount: eur(1_000n),
    });
    expect(await lookUp(capture, "capture", one)).toMatchObject({
      decision: approved,
      amount: eur(400n),
    });
    expect(await lookUp(refund, "refund", one)).toMatchObject({
      decision: approved,
      amount: eur(300n),
    });
    expect(await lookUp(voided, "create", two)).toMatchObject({ decision: approved });
    expect(await lookUp(cancel, "cancel", two)).toMatchObject({ decision: approved });
  });

  it("and nothing of another key, another payment or another tenant", async () => {
    const { processor } = await runFace();
    const reference = await authorized(processor, authorization("own"));
    await processor.capture(later("own", "capture", 400n, reference));
    for (const kind of ["capture", "refund", "cancel"] as const) {
      const other = later("own", "other", 400n, reference);
      expect(await processor.lookUp({ ...other, kind })).toBeUndefined();
    }
    const create = { ...authorization("own"), kind: "create" as const };
    expect(await processor.lookUp({ ...create, processorKey: "pk_other" })).toBeUndefined();
    expect(await processor.lookUp({ ...create, tenant: "other" })).toBeUndefined();
    expect(await processor.lookUp({ ...create, paymentId: "pay_other" })).toBeUndefined();
  });
});

it("a look-up sees a new intent although the search lags, and an old one by the search", async () => {
  const { open } = await runFace({ stripeSearchLagMs: 60_000 });
  const processor = open();
  await authorized(processor, authorization("new"));
  const request = { ...authorization("new"), kind: "create" as const };
  expect(await processor.lookUp(request)).toMatchObject({ decision: { kind: "approved" } });

  // By a clock two hours ahead the intent is too old for the list.
  const nowMs = () => Date.now() + 7_200_000;
  expect(await open({ nowMs }).lookUp(request)).toBeUndefined();
  const { open: openWithoutLag } = await runFace();
  await authorized(openWithoutLag(), authorization("new"));
  expect(await openWithoutLag({ nowMs }).lookUp(request)).toMatchObject({
    decision: { kind: "approved" },
  });
});

it("effects without a reference find the intent of their payment", async () => {
  const { processor, journal } = await runFace();
  await authorized(processor, authorization("nameless"));
  await processor.capture(later("nameless", "capture", 400n));
  await processor.refund(later("nameless", "refund", 400n));
  expect(await journal.effectTypesOf("pay_nameless")).toEqual(["AUTHORIZE", "CAPTURE", "REFUND"]);
  await expect(processor.capture(later("nobody", "capture", 400n))).rejects.toThrow(
    "no intent of this payment",
  );
});

it("finds a payment behind more than a page of others, and a refund too", async () => {
  const { processor } = await runFace();
  const reference = await authorized(processor, { ...authorization("first"), capture: true });
  const refund = later("first", "refund-first", 1n, reference);
  await processor.refund(refund);
  for (let index = 0; index < 101; index++) {
    await processor.authorize({ ...authorization(`more-${index}`), paymentMethod: "tok_declined" });
    await processor.refund(later("first", `refund-${index}`, 1n, reference));
  }
  const create = { ...authorization("first"), kind: "create" as const };
  expect(await processor.lookUp(create)).toMatchObject({ decision: { reference } });
  expect(await processor.lookUp({ ...refund, kind: "refund" })).toMatchObject({ amount: eur(1n) });
});
