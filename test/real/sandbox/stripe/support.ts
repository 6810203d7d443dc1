import Stripe from "stripe";
import { onTestFinished } from "vitest";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../../../src/sandbox/server.js";
import { connect, type GrpcClient, readLines, temporaryDirectory } from "../support.js";
import { recordingClient } from "./exchanges.js";

export const MANUAL = { capture_method: "manual" } as const;

/** What a test wants to be different from a sandbox that answers at once. */
export type Differences = Partial<
  Pick<
    SandboxOptions,
    "dataDir" | "stripeSearchLagMs" | "stripeMulticapture" | "stripeWebhook" | "log"
  >
>;

export interface StripeSandbox {
  readonly stripe: Stripe;
  /** A client of the gRPC face: it arms faults and reads the journal. */
  readonly grpc: GrpcClient;
  readonly sandbox: Sandbox;
  readonly dataDir: string;
  /** Where the face listens: http://host:port */
  readonly url: string;
  /** What the customer of an intent does. */
  authenticate(id: string, result: "success" | "failure"): Promise<Stripe.PaymentIntent>;
  /** The journal's lines. */
  lines(): Promise<Record<string, unknown>[]>;
}

/** A sandbox in this process, which ends with the test at the latest, and Stripe's own client of it. */
export async function runStripeSandbox(differences: Differences = {}): Promise<StripeSandbox> {
  const dataDir = differences.dataDir ?? (await temporaryDirectory());
  const listen = { host: "127.0.0.1", port: 0 };
  const sandbox = await startSandbox({ ...differences, listen, stripeListen: listen, dataDir });
  onTestFinished(() => sandbox.close());
  const address = sandbox.stripeAddress ?? "";
  const stripe = stripeClient(address);
  return {
    stripe,
    grpc: connect(sandbox.address),
    sandbox,
    dataDir,
    url: `http://${address}`,
    async authenticate(id, result) {
      const path = `/sandbox/payment_intents/${id}/authenticate`;
      await stripe.rawRequest("POST", path, { result });
      return stripe.paymentIntents.retrieve(id);
    },
    lines: async () => (await readLines(dataDir)).map((line) => JSON.parse(line)),
  };
}

/** Stripe's own client, without retries of its own. */
export function stripeClient(address: string, timeoutMs = 10_000): Stripe {
  const [host = "", port = ""] = address.split(":");
  return new Stripe("sk_test_sandbox", {
    ...{ host, port, protocol: "http", maxNetworkRetries: 0, timeout: timeoutMs },
    telemetry: false,
    httpClient: recordingClient(),
  });
}

/** A charge of 10 euros, with what the test wants to be different. */
export function charge(
  changes: Partial<Stripe.PaymentIntentCreateParams> = {},
): Stripe.PaymentIntentCreateParams {
  return {
    amount: 1000,
    currency: "eur",
    payment_method: "pm_card_visa",
    allowed_payment_method_types: ["card"],
    confirm: true,
    metadata: { payonce_payment_id: "payment-1" },
    ...changes,
  };
}

export function key(idempotencyKey: string): Stripe.RequestOptions {
  return { idempotencyKey };
}

/** The error that a call fails with. */
export async function stripeFailure(
  call: Promise<unknown>,
): Promise<InstanceType<typeof Stripe.errors.StripeError>> {
  const error = await call.then(
    () => new Error("the call was answered"),
    (reason: unknown) => reason,
  );
  if (error instanceof Stripe.errors.StripeError) {
    return error;
  }
  throw error;
}

/** Whether an answer says that it is an earlier call's. */
export function isReplayed(answer: {
  readonly lastResponse?: { readonly headers: Record<string, string> };
}): boolean {
  return answer.lastResponse?.headers["idempotent-replayed"] === "true";
}
