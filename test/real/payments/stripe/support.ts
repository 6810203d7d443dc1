import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Processor } from "../../../../src/payments/processor.js";
import {
  createStripeProcessor,
  type StripeProcessorOptions,
} from "../../../../src/payments/processors/stripe/processor.js";
import { type SandboxOptions, startSandbox } from "../../../../src/sandbox/server.js";
import { openProcessor } from "../../../support/service/processor.js";

export const SECRET = "sk_test_MARKEDMARKEDMARKED";

const listen = { host: "127.0.0.1", port: 0 };

/** A sandbox that speaks Stripe's form, and the adapter for it; both end with the test. */
export async function runFace(
  differences: Partial<SandboxOptions> = {},
  options: Partial<StripeProcessorOptions> = {},
) {
  const dataDir = await temporaryFolder();
  const sandbox = await startSandbox({ listen, stripeListen: listen, dataDir, ...differences });
  const journal = openProcessor(sandbox.address);
  const apiBase = new URL(`http://${sandbox.stripeAddress}`);
  const open = (more: Partial<StripeProcessorOptions> = {}) =>
    openStripe({ apiBase, ...options, ...more });
  onTestFinished(async () => {
    journal.close();
    await sandbox.close();
  });
  return { sandbox, journal, apiBase, open, processor: open() };
}

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "payonce-stripe-"));
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 10 }));
  return path;
}

/** The adapter of some API, which ends with the test. */
export function openStripe(options: Partial<StripeProcessorOptions>) {
  const processor = createStripeProcessor({ secretKey: SECRET, timeoutMs: 5_000, ...options });
  onTestFinished(() => processor.close());
  return processor;
}

/** An API that answers as a test says, and the number of its calls. */
export async function runDouble(
  answer: (request: IncomingMessage, response: ServerResponse, calls: number) => void,
) {
  let calls = 0;
  const server: Server = createServer((request, response) => {
    calls++;
    request.resume();
    answer(request, response, calls);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // It listens on TCP, whose address is no text.
  const { port } = server.address() as AddressInfo;
  return { apiBase: new URL(`http://127.0.0.1:${port}`), calls: () => calls };
}

/** Writes an answer in JSON. */
export function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "request-id": "req_1" });
  response.end(JSON.stringify(body));
}

export function eur(minorUnits: bigint) {
  return { currencyCode: "EUR", minorUnits };
}

/** The request of an authorization of 10 euros for the payment of a name. */
export function authorization(name: string, paymentMethod = "tok_visa") {
  return {
    processorKey: `pk_${name}`,
    tenant: "default",
    paymentId: `pay_${name}`,
    amount: eur(1_000n),
    paymentMethod,
    capture: false,
  };
}

/** The request of a later effect on that payment. */
export function later(name: string, what: string, minorUnits: bigint, reference?: string) {
  return {
    processorKey: `pk_${name}_${what}`,
    tenant: "default",
    paymentId: `pay_${name}`,
    amount: eur(minorUnits),
    ...(reference === undefined ? {} : { authorization: reference }),
  };
}

/** Authorizes and returns the reference. */
export async function authorized(
  processor: Processor,
  request: Parameters<Processor["authorize"]>[0],
): Promise<string> {
  const decision = await processor.authorize(request);
  if (decision.kind !== "approved" || decision.reference === undefined) {
    throw new Error(`not authorized: ${JSON.stringify(decision)}`);
  }
  return decision.reference;
}
