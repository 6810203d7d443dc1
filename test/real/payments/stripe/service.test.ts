import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  CaptureMethod,
  PaymentStatus,
} from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  eur,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { createDatabase, type TestDatabase } from "../../../support/servers/postgres.js";
import { payonce } from "../../../support/service/command-line.js";
import { startServiceProcess } from "../../../support/service/service-process.js";
import {
  authorization,
  openStripe,
  reply,
  runDouble,
  runFace,
  SECRET,
  temporaryFolder,
} from "./support.js";

const { AUTHORIZED, CANCELED, CAPTURED, DECLINED } = PaymentStatus;
const MANUAL = { amount: eur(1_000n), captureMethod: CaptureMethod.MANUAL };
const CARD = "pm_card_visa";

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database?.drop());

async function statusOf(payments: PaymentsClient, paymentId: string) {
  const lookup = { case: "paymentId", value: paymentId } as const;
  return (await payments.getPayment({ lookup })).response?.payment?.status;
}

/** A service that charges through Stripe. */
async function startService(env: Record<string, string>) {
  const service = await startServiceProcess({
    env: {
      DATABASE_URL: database.url,
      DATA_DIR: await temporaryFolder(),
      PROCESSOR_URL: "stripe:",
      PROCESSOR_TIMEOUT_MS: "3s",
      ...env,
    },
  });
  return { service, payments: openPayments(service.grpcAddress) };
}

interface Parts {
  readonly payments: PaymentsClient;
  readonly journal: Awaited<ReturnType<typeof runFace>>["journal"];
  readonly stripe: Readonly<Record<string, string>>;
}

async function using(
  work: (parts: Parts) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { apiBase, journal } = await runFace();
  const stripe = { STRIPE_SECRET_KEY: SECRET, STRIPE_API_BASE: apiBase.origin };
  const { service, payments } = await startService({ ...stripe, ...env });
  try {
    await work({ payments, journal, stripe });
    expect(service.output()).toContain(`Stripe at ${apiBase.origin}, in test mode`);
    expect(service.output()).not.toContain("MARKED");
  } finally {
    payments.close();
    await service.stop();
  }
}

it("pays, replays, captures, refunds, cancels and declines", async () => {
  await using(async ({ payments, journal }) => {
    const create = () => payments.createPayment(paymentOf(CARD, MANUAL), "stripe-manual");
    const first = await create();
    const { id: paymentId = "", status } = first.response?.payment ?? {};
    expect(status).toBe(AUTHORIZED);
    const again = await create();
    expect(isReplayed(again)).toBe(true);
    expect(again.response).toEqual(first.response);

    const captured = await payments.capturePayment({ paymentId }, "stripe-capture");
    expect(captured.response?.payment?.status).toBe(CAPTURED);
    const refund = { paymentId, amount: eur(300n) };
    const refunded = await payments.refundPayment(refund, "stripe-refund");
    expect(refunded.response?.payment?.refunded).toMatchObject(eur(300n));
    expect(await journal.effectTypesOf(paymentId)).toEqual(["AUTHORIZE", "CAPTURE", "REFUND"]);

    const other = await payments.createPayment(paymentOf(CARD, MANUAL), "stripe-cancel");
    const canceled = await payments.cancelPayment(
      { paymentId: other.response?.payment?.id ?? "" },
      "stripe-cancel",
    );
    expect(canceled.response?.payment?.status).toBe(CANCELED);

    const declined = await payments.createPayment(
      paymentOf("pm_card_visa_chargeDeclinedInsufficientFunds"),
      "stripe-declined",
    );
    expect(declined.response?.payment).toMatchObject({
      status: DECLINED,
      declineCode: "insufficient_funds",
    });
  });
});

it("one capture ends it: the next one is PAYMENT_NOT_CAPTURABLE, with Stripe's code", async () => {
  await using(async ({ payments }) => {
    const { response } = await payments.createPayment(paymentOf(CARD, MANUAL), "stripe-once");
    const paymentId = response?.payment?.id ?? "";
    await payments.capturePayment({ paymentId, amount: eur(400n) }, "stripe-once-1");
    const rest = await payments.capturePayment({ paymentId }, "stripe-once-2");
    expect(refusalOf(rest)).toMatchObject({
      reason: "PAYMENT_NOT_CAPTURABLE",
    });
    expect(rest.message).toContain("payment_intent_unexpected_state");
  });
});

it("an amount that Stripe cannot charge is refused before anything begins", async () => {
  await using(async ({ payments, journal }) => {
    const amount = { currencyCode: "KWD", minorUnits: 5_124n };
    const refused = await payments.createPayment(paymentOf(CARD, { amount }), "stripe-kwd");
    expect(refusalOf(refused)).toMatchObject({ reason: "AMOUNT_INVALID" });
    expect(refused.message).toContain("multiple of 10");
    expect(await journal.countCalls()).toBe(0n);
  });
});

describe("a charge whose answer is lost is made once, and the caller learns of it", () => {
  it.each([
    ["the connection breaks after the charge", { action: FaultAction.DROP_AFTER }],
    ["the connection breaks before it", { action: FaultAction.DROP_BEFORE }],
  ])("%s", async (name, fault) => {
    await using(async ({ payments, journal }) => {
      await journal.arm(fault);
      const key = `stripe-lost-${name.length}`;
      const { answer } = await untilAnswered(() => payments.createPayment(paymentOf(CARD), key));
      expect(answer.response?.payment?.status).toBe(CAPTURED);
      expect(await journal.effectTypesOf(answer.response?.payment?.id)).toEqual([
        "AUTHORIZE_CAPTURE",
      ]);
    });
  });

  it("Stripe answers 500 after the charge, and keeps that answer", async () => {
    await using(async ({ payments, journal }) => {
      const request = paymentOf("tok_error_after_charge");
      const { answer } = await untilAnswered(() => payments.createPayment(request, "stripe-500"));
      expect(answer.response?.payment?.status).toBe(CAPTURED);
      expect(await journal.effectsOf(answer.response?.payment?.id)).toHaveLength(1);
    });
  });
});

it("payonce reconcile finds no difference to Stripe's own list, and finds what only Stripe has", async () => {
  const own = await createDatabase();
  onTestFinished(() => own.drop());
  await using(
    async ({ payments, stripe }) => {
      const { response } = await payments.createPayment(paymentOf(CARD, MANUAL), "list-1");
      const paymentId = response?.payment?.id ?? "";
      await payments.capturePayment({ paymentId, amount: eur(400n) }, "list-capture");
      await payments.refundPayment({ paymentId, amount: eur(100n) }, "list-refund");
      await payments.createPayment(paymentOf("pm_card_chargeDeclined"), "list-2");
      const env = { DATABASE_URL: own.url, PROCESSOR_URL: "stripe:", ...stripe };
      const same = await payonce(["reconcile"], env);
      expect(same).toMatchObject({ code: 0 });
      expect(same.stdout).toMatch(/^2 payments compared, 0 of them moving, 0 differences$/m);

      const processor = openStripe({ apiBase: new URL(stripe.STRIPE_API_BASE ?? "") });
      await processor.authorize(authorization("elsewhere", CARD));
      const { code, stdout } = await payonce(["reconcile"], env);
      expect(code).toBe(1);
      expect(stdout).toContain("missing_here");
      expect(stdout).toContain("pay_elsewhere");
    },
    { DATABASE_URL: own.url },
  );
});

it.each([
  ["success", CAPTURED, ["AUTHORIZE_CAPTURE"]],
  ["failure", DECLINED, []],
] as const)(
  "waits for a customer, whose %s moves the payment on",
  async (result, status, effects) => {
    await using(
      async ({ payments, journal, stripe }) => {
        const key = `stripe-action-${result}`;
        const create = () =>
          payments.createPayment(paymentOf("pm_card_authenticationRequired"), key);
        const first = await create();
        const { id: paymentId = "", nextAction } = first.response?.payment ?? {};
        expect(first.response?.payment?.status).toBe(PaymentStatus.REQUIRES_ACTION);
        const secret = String(nextAction?.action.value);
        const [intent] = secret.split("_secret_");
        const url = `${stripe.STRIPE_API_BASE}/sandbox/payment_intents/${intent}/authenticate`;
        const headers = { authorization: `Bearer ${SECRET}` };
        const body = new URLSearchParams({ result });
        expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
        await expect.poll(() => statusOf(payments, paymentId), { timeout: 20_000 }).toBe(status);
        expect(await journal.effectTypesOf(paymentId)).toEqual(effects);
        const again = await create();
        expect(isReplayed(again)).toBe(true);
        expect(again.response).toEqual(first.response);
        if (result === "failure") {
          // Nobody who has the secret can pay with another card any more.
          const late = await fetch(url, { method: "POST", headers, body });
          expect(late.status).toBe(400);
        }
      },
      { RECOVERY_INTERVAL_MS: "100ms" },
    );
  },
);

describe("the start", () => {
  const starting = async (env: Record<string, string>) => {
    const { service, payments } = await startService(env);
    payments.close();
    await service.stop();
    return service.output();
  };

  it("is refused where Stripe refuses the key, in one line that names it and not the key", async () => {
    const { apiBase } = await runDouble((_, response) =>
      reply(response, 401, {
        error: { type: "invalid_request_error", message: `Invalid API Key provided: ${SECRET}` },
      }),
    );
    const start = starting({ STRIPE_SECRET_KEY: SECRET, STRIPE_API_BASE: apiBase.origin });
    await expect(start).rejects.toThrow(/STRIPE_SECRET_KEY accepts a key that Stripe knows/);
    await expect(start).rejects.not.toThrow(/MARKED/);
  });

  it("takes the key from a file, warns where Stripe cannot be reached, and goes on", async () => {
    const file = join(await temporaryFolder(), "key");
    await writeFile(file, `${SECRET}\n`);
    const away = "http://127.0.0.1:1";
    const output = await starting({ STRIPE_SECRET_KEY_FILE: file, STRIPE_API_BASE: away });
    expect(output).toContain("Stripe cannot be reached");
    expect(output).not.toContain("MARKED");
    await writeFile(file, "pk_test_MARKED");
    const refused = starting({ STRIPE_SECRET_KEY_FILE: file, STRIPE_API_BASE: away });
    await expect(refused).rejects.toThrow(/STRIPE_SECRET_KEY_FILE accepts a secret or restricted/);
    await expect(refused).rejects.not.toThrow(/MARKED/);
  });

  it("warns where a live key is open to anybody, and names what is missing", async () => {
    const { apiBase } = await runDouble((_, response) =>
      reply(response, 200, { object: "list", data: [], has_more: false }),
    );
    const output = await starting({
      STRIPE_SECRET_KEY: "sk_live_MARKED",
      STRIPE_API_BASE: apiBase.origin,
    });
    expect(output).toContain("is live");
    expect(output).toContain("AUTH_TOKENS_FILE or TLS_CLIENT_CA_FILE is missing");
    expect(output).not.toContain("MARKED");
  });
});
