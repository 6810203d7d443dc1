import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findFreePort } from "../../../../src/dev-servers/free-port.js";
import {
  CaptureMethod,
  PaymentStatus,
} from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { startSandbox } from "../../../../src/sandbox/server.js";
import {
  eur,
  openPayments,
  type PaymentsClient,
  paymentOf,
} from "../../../support/payments/payments-client.js";
import { createDatabase, type TestDatabase } from "../../../support/servers/postgres.js";
import {
  type ServiceProcess,
  startServiceProcess,
} from "../../../support/service/service-process.js";
import { SECRET } from "./support.js";

const WEBHOOK_SECRET = "whsec_MARKEDMARKED";

let database: TestDatabase;
let service: ServiceProcess;
let payments: PaymentsClient;
let sandbox: Awaited<ReturnType<typeof startSandbox>>;
let stripe: Stripe;
let url: string;
let directory: string;

beforeAll(async () => {
  database = await createDatabase();
  directory = await mkdtemp(join(tmpdir(), "payonce-webhooks-"));
  const port = await findFreePort();
  url = `http://127.0.0.1:${port}/webhooks/stripe`;
  const listen = { host: "127.0.0.1", port: 0 };
  sandbox = await startSandbox({
    listen,
    stripeListen: listen,
    dataDir: await mkdtemp(join(directory, "data-")),
    stripeWebhook: { url, secret: WEBHOOK_SECRET },
  });
  const [host = "", facePort = ""] = sandbox.stripeAddress?.split(":") ?? [];
  stripe = new Stripe(SECRET, { host, port: facePort, protocol: "http", maxNetworkRetries: 0 });
  service = await startServiceProcess({
    env: {
      DATABASE_URL: database.url,
      DATA_DIR: await mkdtemp(join(directory, "data-")),
      HTTP_LISTEN: `127.0.0.1:${port}`,
      PROCESSOR_URL: "stripe:",
      STRIPE_SECRET_KEY: SECRET,
      STRIPE_API_BASE: `http://${sandbox.stripeAddress}`,
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    },
  });
  payments = openPayments(service.grpcAddress);
}, 60_000);

afterAll(async () => {
  payments?.close();
  await service?.stop();
  await sandbox?.close();
  await database?.drop();
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

async function post(body: string | Buffer, signature?: string): Promise<number> {
  const headers = signature === undefined ? {} : { "stripe-signature": signature };
  return (await fetch(url, { method: "POST", body: new Uint8Array(Buffer.from(body)), headers }))
    .status;
}

const signed = (payload: string, timestamp = Math.floor(Date.now() / 1_000)) =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET, timestamp });

const eventOf = (metadata: unknown) =>
  JSON.stringify({ id: "evt_1", object: "event", type: "x", data: { object: { metadata } } });

it("a cancel at Stripe is taken over at once, for no other reason than its webhook", async () => {
  const terms = { amount: eur(1_000n), captureMethod: CaptureMethod.MANUAL };
  const created = await payments.createPayment(paymentOf("pm_card_visa", terms), "hook-cancel");
  const id = created.response?.payment?.id ?? "";
  const [intent] = (await stripe.paymentIntents.list({ limit: 1 })).data;
  await stripe.paymentIntents.cancel(intent?.id ?? "", {
    cancellation_reason: "requested_by_customer",
  });
  const lookup = { case: "paymentId", value: id } as const;
  const payment = async () => (await payments.getPayment({ lookup })).response?.payment;
  await expect
    .poll(async () => (await payment())?.status, { timeout: 20_000 })
    .toBe(PaymentStatus.CANCELED);
  expect((await payment())?.declineCode).toBe("requested_by_customer");
});

describe("a message at /webhooks/stripe", () => {
  it("is taken where it is signed, again and again, whatever it is about", async () => {
    const known = eventOf({ payonce_tenant: "default", payonce_payment_id: "pay_none" });
    for (const body of [known, known, eventOf({}), eventOf(undefined), eventOf(null)]) {
      expect(await post(body, signed(body))).toBe(200);
    }
  });

  it.each([
    ["another's signature", (body: string) => signed(`${body} `)],
    ["a signature from long ago", (body: string) => signed(body, 1_700_000_000)],
    ["no signature", () => undefined],
    ["what is no signature", () => "t=1,v1=MARKED"],
  ])("is refused with %s", async (_, signatureOf) => {
    const body = eventOf({});
    expect(await post(body, signatureOf(body))).toBe(400);
  });

  it("is refused where it is no event, too large, or not sent", async () => {
    expect(await post("MARKED", signed("MARKED"))).toBe(400);
    expect(await post(Buffer.alloc(300_000, 97), "t=1,v1=1")).toBe(413);
    expect((await fetch(url)).status).toBe(405);
    expect(service.output()).not.toContain("MARKED");
  });
});
