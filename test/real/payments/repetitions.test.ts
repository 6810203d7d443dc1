import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Parked } from "../../../src/idempotency/answers/errors.js";
import {
  type CaptureRequest,
  type KeyTraits,
  type LookUpRequest,
  type Processor,
  type ProcessorEffect,
  type ProcessorTraits,
  ProcessorUnknown,
} from "../../../src/payments/processor.js";
import { sandboxKeys } from "../../../src/payments/processors/sandbox-traits.js";
import {
  approve,
  cancelRequest,
  captureRequest,
  createRequest,
  decline,
  dropReply,
  eur,
  type PaymentsUnderTest,
  refundRequest,
  type Script,
  type ServeOptions,
  scripted,
  startPayments,
} from "./support.js";

const DAY_MS = 86_400_000;

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments.stop());

/** An acquirer with these traits, that does as the script says, and whose look-up finds this. */
function acquirer(
  traits: Pick<ProcessorTraits, "keys" | "lookUp">,
  script: Script,
  found?: ProcessorEffect,
) {
  const processor = scripted(script);
  const lookUps: LookUpRequest[] = [];
  return {
    ...processor,
    lookUps,
    traits: { name: "acquirer", capturesInParts: true, ...traits },
    async lookUp(request: LookUpRequest) {
      lookUps.push(request);
      return found;
    },
  };
}

const withoutKeys = (visibleAfterMs: number) => ({ lookUp: { visibleAfterMs } });
/** An acquirer that is seen at once, and honours keys in a way of its own. */
const withKeys = (change: Partial<KeyTraits>) => ({
  keys: { ...sandboxKeys, ...change },
  lookUp: { visibleAfterMs: 0 },
});
const approved = { decision: { kind: "approved", reference: "found" } } as const;

/** Lets the first attempt at a payment end without an answer, and claims its key for the next one. */
async function afterLostReply(key: string, first: Processor, options?: ServeOptions) {
  const context = await payments.claim("CreatePayment", key);
  const call = payments.serve(first, options).createPayment(createRequest(), context);
  await expect(call).rejects.toBeInstanceOf(ProcessorUnknown);
  return payments.takeOver(context);
}

describe("an acquirer without keys", () => {
  it("is not sent an operation again: a look-up says what became of it", async () => {
    const next = await afterLostReply("found", acquirer(withoutKeys(0), dropReply));
    const processor = acquirer(withoutKeys(0), approve, approved);
    const { payment } = await payments.serve(processor).createPayment(createRequest(), next);
    expect(payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });
    expect(processor.calls).toEqual([]);
    expect(processor.lookUps).toMatchObject([{ kind: "create", tenant: "acme" }]);
  });

  it("is asked again while a look-up may not see it yet", async () => {
    const next = await afterLostReply("early", acquirer(withoutKeys(DAY_MS), dropReply));
    const early = acquirer(withoutKeys(DAY_MS), approve);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const call = payments.serve(early).createPayment(createRequest(), next);
      await expect(call).rejects.toBeInstanceOf(ProcessorUnknown);
    }
    expect(early.calls).toEqual([]);
    const later = acquirer(withoutKeys(DAY_MS), approve, approved);
    const { payment } = await payments.serve(later).createPayment(createRequest(), next);
    expect(payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });
  });

  it("has a person decide where a look-up would see it, and does not", async () => {
    const next = await afterLostReply("nowhere", acquirer(withoutKeys(0), dropReply));
    const processor = acquirer(withoutKeys(0), approve);
    const call = payments.serve(processor).createPayment(createRequest(), next);
    await expect(call).rejects.toBeInstanceOf(Parked);
    expect(processor.calls).toEqual([]);
  });

  it("has a person decide where there is no look-up", async () => {
    const traits = {};
    const next = await afterLostReply("blind", acquirer(traits, dropReply));
    const processor = acquirer(traits, approve, approved);
    const call = payments.serve(processor).createPayment(createRequest(), next);
    await expect(call).rejects.toBeInstanceOf(Parked);
    expect(processor.calls).toEqual([]);
    expect(processor.lookUps).toEqual([]);
  });

  it("is looked at also when a key would be forgotten", async () => {
    const next = await afterLostReply("old", acquirer(withoutKeys(0), dropReply));
    const processor = acquirer(withoutKeys(0), approve, approved);
    const service = payments.serve(processor, {
      readMoment: () => ({
        monotonicMs: performance.now() + 2 * DAY_MS,
        wallMs: Date.now() + 2 * DAY_MS,
      }),
    });
    const { payment } = await service.createPayment(createRequest(), next);
    expect(payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });
  });

  it("is looked at first where the database may have lost rows, and then sent what it does not know", async () => {
    const traits = withoutKeys(0);
    const known = acquirer(traits, approve, approved);
    const restored = { restoredAgoMs: () => 1_000 };
    const first = await payments.claim("CreatePayment", "restored-known");
    await payments.serve(known, restored).createPayment(createRequest(), first);
    expect(known.calls).toEqual([]);

    const late = acquirer(withoutKeys(DAY_MS), approve);
    const second = await payments.claim("CreatePayment", "restored-late");
    await expect(
      payments.serve(late, restored).createPayment(createRequest(), second),
    ).rejects.toBeInstanceOf(ProcessorUnknown);
    expect(late.calls).toEqual([]);

    const unknown = acquirer(traits, approve);
    // A day later, and ever after: it has no keys that it could forget.
    const later = acquirer(withoutKeys(0), approve, approved);
    const fourth = await payments.claim("CreatePayment", "restored-a-day-later");
    await payments
      .serve(later, { restoredAgoMs: () => 25 * 3_600_000 })
      .createPayment(createRequest(), fourth);
    expect(later.calls).toEqual([]);

    const third = await payments.claim("CreatePayment", "restored-unknown");
    await payments.serve(unknown, restored).createPayment(createRequest(), third);
    expect(unknown.calls).toMatchObject([{ method: "authorize" }]);
  });
});

describe("an answer that is looked up", () => {
  it("is given up at the processor where the customer could still turn the decline around", async () => {
    const next = await afterLostReply("open", acquirer(withoutKeys(0), dropReply));
    const open = { decision: { kind: "declined", declineCode: "3ds" }, isOpen: true } as const;
    const refuses = acquirer(withoutKeys(0), decline, open);
    const call = payments.serve(refuses).createPayment(createRequest(), next);
    await expect(call).rejects.toBeInstanceOf(ProcessorUnknown);
    expect(refuses.calls.map(({ method }) => method)).toEqual(["void"]);

    const gives = acquirer(withoutKeys(0), approve, open);
    const { payment } = await payments
      .serve(gives)
      .createPayment(createRequest(), await payments.takeOver(next));
    expect(gives.calls.map(({ method }) => method)).toEqual(["void"]);
    expect(payment).toMatchObject({ status: PaymentStatus.DECLINED, declineCode: "3ds" });
  });
});

describe("an acquirer that answers another request as it answered the first", () => {
  const traits = withKeys({ otherRequest: "first_answer" });

  it("is looked at before a capture of all that remains comes again after rows were lost", async () => {
    const paymentId = await payments.createPayment("implied");
    const found = { ...approved, amount: eur(400n) };
    const processor = acquirer(traits, approve, found);
    const context = await payments.claim("CapturePayment", "implied");
    const service = payments.serve(processor, { restoredAgoMs: () => 1_000 });
    await service.capturePayment(captureRequest(paymentId), context);
    expect(processor.calls).toEqual([]);
    expect(await payments.getPayment(paymentId)).toMatchObject({ captured: eur(400n) });
  });

  it("is sent a capture that it does not know, and one with an amount of its own", async () => {
    const paymentId = await payments.createPayment("explicit");
    const service = (processor: Processor) =>
      payments.serve(processor, { restoredAgoMs: () => 1_000 });
    const explicit = acquirer(traits, approve, { ...approved, amount: eur(400n) });
    const first = await payments.claim("CapturePayment", "explicit");
    await service(explicit).capturePayment(captureRequest(paymentId, 300n), first);
    expect(explicit.lookUps).toEqual([]);
    expect(explicit.calls).toMatchObject([{ method: "capture", minorUnits: 300n }]);

    const unknown = acquirer(traits, approve);
    const second = await payments.claim("CapturePayment", "unknown-rest");
    await service(unknown).capturePayment(captureRequest(paymentId), second);
    expect(unknown.calls).toMatchObject([{ method: "capture", minorUnits: 700n }]);
  });
});

describe("an acquirer that keeps its errors", () => {
  const keeping = (keepsErrors: KeyTraits["keepsErrors"]) => withKeys({ keepsErrors });

  it("is looked at behind an error that comes again, and not behind the first one", async () => {
    const first = acquirer(keeping("all"), dropReply, approved);
    const next = await afterLostReply("kept", first);
    expect(first.lookUps).toEqual([]);
    const again = acquirer(keeping("all"), dropReply, approved);
    const { payment } = await payments.serve(again).createPayment(createRequest(), next);
    expect(payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });
    expect(again.calls).toMatchObject([{ method: "authorize" }]);
  });

  it("is asked again where a look-up finds nothing, or errors are not kept", async () => {
    for (const [key, processor] of [
      ["kept-unseen", acquirer(keeping("all"), dropReply)],
      ["not-kept", acquirer(keeping("declines"), dropReply, approved)],
    ] as const) {
      const next = await afterLostReply(key, processor);
      const call = payments.serve(processor).createPayment(createRequest(), next);
      await expect(call).rejects.toBeInstanceOf(ProcessorUnknown);
    }
  });
});

describe("what the processor says of an effect", () => {
  it("is stored, and names the authorization to captures, refunds and voids", async () => {
    const seen: [string, CaptureRequest["authorization"]][] = [];
    const on = (kind: string) => async (request: Pick<CaptureRequest, "authorization">) => {
      seen.push([kind, request.authorization]);
      return { kind: "approved", evidence: { of: kind } } as const;
    };
    const processor: Processor = {
      ...scripted(approve),
      authorize: async () =>
        ({ kind: "approved", reference: "auth_1", evidence: { of: "authorize" } }) as const,
      capture: on("capture"),
      refund: on("refund"),
      void: on("void"),
      lookUp: async (request) => {
        seen.push(["look-up", request.authorization]);
        return undefined;
      },
    };
    const service = payments.serve(processor);
    const create = await payments.claim("CreatePayment", "evidence");
    const { payment } = await service.createPayment(createRequest(), create);
    const paymentId = payment?.id ?? "";
    const capture = await payments.claim("CapturePayment", "evidence");
    await service.capturePayment(captureRequest(paymentId, 600n), capture);
    const refund = await payments.claim("RefundPayment", "evidence");
    await service.refundPayment(refundRequest(paymentId, 100n), refund);
    const other = await payments.claim("CreatePayment", "evidence-void");
    const voided = await service.createPayment(createRequest(), other);
    const cancel = await payments.claim("CancelPayment", "evidence");
    await service.cancelPayment(cancelRequest(voided.payment?.id ?? ""), cancel);

    expect(seen).toEqual([
      ["capture", "auth_1"],
      ["refund", "auth_1"],
      ["void", "auth_1"],
    ]);
    const { rows: stored } = await payments.pool.query(
      "SELECT processor_reference FROM payments WHERE id = $1",
      [paymentId],
    );
    expect(stored).toEqual([{ processor_reference: "auth_1" }]);
    const { rows: operations } = await payments.pool.query(
      "SELECT kind, evidence FROM operations WHERE payment_id = $1 ORDER BY kind",
      [paymentId],
    );
    expect(operations).toEqual([
      { kind: "capture", evidence: { of: "capture" } },
      { kind: "create", evidence: { of: "authorize" } },
      { kind: "refund", evidence: { of: "refund" } },
    ]);
  });
});
