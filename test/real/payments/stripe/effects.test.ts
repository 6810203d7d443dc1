import { describe, expect, it } from "vitest";
import { ProcessorRefused } from "../../../../src/payments/processor.js";
import { authorization, authorized, eur, later, runFace, SECRET } from "./support.js";

const approved = { kind: "approved" };

it("authorizes, captures, refunds: with the intent as reference, and evidence of names alone", async () => {
  const { processor, journal } = await runFace();
  const decision = await processor.authorize(authorization("all"));
  expect(decision).toMatchObject({
    kind: "approved",
    reference: expect.stringMatching(/^pi_/),
    evidence: {
      payment_intent: expect.stringMatching(/^pi_/),
      charge: expect.stringMatching(/^ch_/),
      request: expect.stringMatching(/^req_/),
      outcome: "authorized",
    },
  });
  expect(JSON.stringify(decision)).not.toMatch(/4242|tok_|secret/);
  const reference = decision.kind === "approved" ? decision.reference : undefined;
  expect(await processor.capture(later("all", "capture", 400n, reference))).toMatchObject(approved);
  expect(await processor.refund(later("all", "refund", 300n, reference))).toMatchObject({
    ...approved,
    reference: expect.stringMatching(/^re_/),
  });
  const effects = await journal.effectsOf("pay_all");
  expect(effects.map(({ processorKey, amount }) => [processorKey, amount?.minorUnits])).toEqual([
    ["pk_all", 1_000n],
    ["pk_all_capture", 400n],
    ["pk_all_refund", 300n],
  ]);
});

it("captures at once where that is asked for", async () => {
  const { processor, journal } = await runFace();
  await authorized(processor, { ...authorization("auto", "pm_card_visa"), capture: true });
  expect(await journal.effectTypesOf("pay_auto")).toEqual(["AUTHORIZE_CAPTURE"]);
});

it("voids", async () => {
  const { processor, journal } = await runFace();
  const reference = await authorized(processor, authorization("void"));
  expect(await processor.void(later("void", "void", 1n, reference))).toMatchObject(approved);
  expect(await journal.effectTypesOf("pay_void")).toEqual(["AUTHORIZE", "VOID"]);
});

it("a repetition is the first answer, and no second effect", async () => {
  const { processor, journal } = await runFace();
  const reference = await authorized(processor, authorization("again"));
  expect(await authorized(processor, authorization("again"))).toBe(reference);
  const capture = later("again", "capture", 400n, reference);
  await processor.capture(capture);
  expect(await processor.capture(capture)).toMatchObject(approved);
  expect(await journal.effectsOf("pay_again")).toHaveLength(2);
});

it("a key that comes again with another amount is refused as reused", async () => {
  const { processor } = await runFace();
  await processor.authorize(authorization("reused"));
  const refused = processor.authorize({ ...authorization("reused"), amount: eur(1n) });
  await expect(refused).rejects.toBeInstanceOf(ProcessorRefused);
  await expect(refused).rejects.toMatchObject({ refusal: "key_reused" });
});

it.each([
  ["pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"],
  ["pm_card_chargeDeclinedExpiredCard", "expired_card"],
  ["tok_insufficient_funds", "insufficient_funds"],
])("%s is declined as %s", async (method, declineCode) => {
  const { processor } = await runFace();
  const request = authorization("no", method);
  const declined = { kind: "declined", declineCode };
  expect(await processor.authorize(request)).toMatchObject(declined);
  expect(await processor.authorize(request)).toMatchObject(declined);
  expect(await processor.lookUp({ ...request, kind: "create" })).toMatchObject({
    decision: declined,
  });
});

it("a method that does not exist is refused as invalid", async () => {
  const { processor } = await runFace();
  await expect(processor.authorize(authorization("none", "pm_none"))).rejects.toMatchObject({
    refusal: "invalid",
  });
});

it("what the payment's state does not permit is declined with Stripe's code", async () => {
  const { processor } = await runFace();
  const reference = await authorized(processor, authorization("state"));
  expect(await processor.capture(later("state", "large", 1_001n, reference))).toMatchObject({
    declineCode: "amount_too_large",
  });
  await processor.capture(later("state", "capture", 400n, reference));
  const unexpected = { kind: "declined", declineCode: "payment_intent_unexpected_state" };
  expect(await processor.capture(later("state", "rest", 600n, reference))).toMatchObject(
    unexpected,
  );
  expect(await processor.void(later("state", "void", 1n, reference))).toMatchObject(unexpected);
  await processor.refund(later("state", "refund", 400n, reference));
  expect(await processor.refund(later("state", "more", 1n, reference))).toMatchObject({
    kind: "declined",
    declineCode: "charge_already_refunded",
  });
});

it("captures in parts where the account has multicapture, and only there says so", async () => {
  const { processor, journal, open } = await runFace(
    { stripeMulticapture: true },
    { multicapture: true },
  );
  expect(processor.traits.capturesInParts).toBe(true);
  expect(open({ multicapture: false }).traits.capturesInParts).toBe(false);
  const reference = await authorized(processor, authorization("parts"));
  for (const [what, amount] of [
    ["one", 400n],
    ["two", 500n],
    ["three", 100n],
  ] as const) {
    expect(await processor.capture(later("parts", what, amount, reference))).toMatchObject(
      approved,
    );
  }
  expect(await processor.refund(later("parts", "refund", 900n, reference))).toMatchObject(approved);
  expect(await journal.effectsOf("pay_parts")).toHaveLength(5);
});

it("charges currencies in Stripe's units, and refuses what it cannot", async () => {
  const { processor, journal } = await runFace();
  const isk = { ...authorization("isk"), amount: { currencyCode: "ISK", minorUnits: 5n } };
  const reference = await authorized(processor, isk);
  const [effect] = await journal.effectsOf("pay_isk");
  expect(effect?.amount).toMatchObject({ currencyCode: "ISK", minorUnits: 5n });
  expect(
    await processor.lookUp({ ...isk, kind: "create", authorization: reference }),
  ).toMatchObject({ amount: isk.amount });
  const kwd = { ...authorization("kwd"), amount: { currencyCode: "KWD", minorUnits: 5_124n } };
  await expect(processor.authorize(kwd)).rejects.toMatchObject({ refusal: "invalid" });
});

describe("a card that needs its customer", () => {
  const method = "pm_card_authenticationRequired";

  /** Does what the customer does on the page of their bank. */
  async function act(apiBase: URL, intent: string, result: "success" | "failure"): Promise<void> {
    const url = new URL(`/sandbox/payment_intents/${intent}/authenticate`, apiBase);
    const headers = { authorization: `Bearer ${SECRET}` };
    const body = new URLSearchParams({ result });
    const { status } = await fetch(url, { method: "POST", headers, body });
    expect(status).toBe(200);
  }

  async function waiting() {
    const face = await runFace();
    const request = authorization("act", method);
    const decision = await face.processor.authorize(request);
    if (decision.kind !== "requires_action") {
      throw new Error(decision.kind);
    }
    const { reference = "" } = decision;
    const lookUp = () =>
      face.processor.lookUp({ ...request, kind: "create", authorization: reference });
    return { ...face, request, decision, reference, lookUp };
  }

  it("is told what Stripe's library takes, again and again, and has no effect yet", async () => {
    const { processor, request, decision, reference, journal, lookUp } = await waiting();
    expect(decision.nextAction.clientSecret).toMatch(new RegExp(`^${reference}_secret_`));
    expect(await processor.authorize(request)).toMatchObject({
      kind: "requires_action",
      reference,
    });
    expect(await lookUp()).toMatchObject({ decision: { kind: "requires_action" } });
    expect(await journal.countEffects()).toBe(0);
  });

  it("is authorized once the customer has acted", async () => {
    const { apiBase, reference, journal, lookUp } = await waiting();
    await act(apiBase, reference, "success");
    const effect = await lookUp();
    expect(effect).toMatchObject({ decision: { kind: "approved", reference } });
    expect(effect).not.toHaveProperty("endedBy");
    expect(await journal.countEffects()).toBe(1);
  });

  it("is declined where the customer has failed, which is open until it is canceled", async () => {
    const { apiBase, processor, request, reference, lookUp } = await waiting();
    await act(apiBase, reference, "failure");
    const declined = { kind: "declined", declineCode: "payment_intent_authentication_failure" };
    expect(await lookUp()).toMatchObject({ decision: declined, isOpen: true });
    const given = { ...request, processorKey: "pk_given_up", authorization: reference };
    expect(await processor.void(given)).toMatchObject({ kind: "approved" });
    const after = await lookUp();
    expect(after).toMatchObject({ decision: declined });
    expect(after).not.toHaveProperty("isOpen");
  });
});

describe("an authorization that is captured later", () => {
  it("says when Stripe gives it up, and that it has", async () => {
    const { processor, apiBase } = await runFace();
    const request = authorization("lapses");
    const decision = await processor.authorize(request);
    expect(decision).toMatchObject({ kind: "approved", expireTime: expect.any(Date) });
    const authorized = { authorization: "reference" in decision ? (decision.reference ?? "") : "" };
    const url = new URL(`/sandbox/payment_intents/${authorized.authorization}/expire`, apiBase);
    const headers = { authorization: `Bearer ${SECRET}` };
    expect((await fetch(url, { method: "POST", headers })).status).toBe(200);
    const { paymentId, tenant } = request;
    const byReference = { paymentId, tenant, processorKey: "", ...authorized };
    expect(await processor.lookUp({ ...byReference, kind: "create" })).toMatchObject({
      decision: { kind: "approved" },
      endedBy: "authorization_expired",
    });
  });
});

it("a card that needs its customer names a page, where one is known to come back to", async () => {
  const { open } = await runFace();
  const processor = open({ returnUrl: new URL("https://shop.example/paid") });
  const request = authorization("page", "pm_card_authenticationRequired");
  const waiting = {
    kind: "requires_action",
    nextAction: { redirectUrl: expect.stringMatching(/^http/) },
  };
  expect(await processor.authorize(request)).toMatchObject(waiting);
  expect(await processor.lookUp({ ...request, kind: "create" })).toMatchObject({
    decision: waiting,
  });
});
