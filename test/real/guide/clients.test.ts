import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CallReport,
  connectInterceptor,
  fileIntentStore,
  PaymentService,
  PaymentStatus,
} from "../../../clients/typescript/src/index.js";
import { createCharges } from "../../../docs/guide/snippets/charges.js";
import { createCheckout } from "../../../docs/guide/snippets/checkout.js";
import { handle, payFile } from "../../../docs/guide/snippets/jobs.js";
import { openPayments, PATIENTLY } from "../../../docs/guide/snippets/pay.js";
import { paymentOf } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { openProcessor, type Processor } from "../../support/service/processor.js";

const { CAPTURED, DECLINED } = PaymentStatus;

let cluster: Cluster;
let processor: Processor;
let payments: ReturnType<typeof openPayments>;
const reports: CallReport[] = [];

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  processor = openProcessor(cluster.sandbox.address);
  payments = openPayments(target(), (report) => reports.push(report));
});

afterAll(async () => {
  processor?.close();
  await cluster?.stop();
});

function target(): string {
  return `http://${cluster.targets()[0]}`;
}

/** A caller that gives up after one attempt. */
function withoutRetries(baseUrl: string) {
  return createClient(PaymentService, createGrpcTransport({ baseUrl }));
}

/** How many effects the processor has done while this lasted. */
async function effectsDuring(work: () => Promise<void>): Promise<number> {
  const before = await processor.countEffects();
  await work();
  return (await processor.countEffects()) - before;
}

it("a call without a key gets one, and is retried with it until its answer is final", async () => {
  const effects = await effectsDuring(async () => {
    const answer = await payments.createPayment(paymentOf("tok_drop_reply"), PATIENTLY);
    expect(answer.payment?.status).toBe(CAPTURED);
  });
  expect(effects).toBe(1);
  const report = reports.at(-1);
  expect(report?.key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  expect(report?.attempts).toBeGreaterThan(1);
});

describe("charges of orders", () => {
  it("are made once, by whichever process and however often they are asked for", async () => {
    const folder = await mkdtemp(join(tmpdir(), "payonce-test-intents-"));
    const inAnyProcess = () => createCharges(payments, fileIntentStore({ folder }));
    const errors: string[] = [];
    const effects = await effectsDuring(async () => {
      // Charged, but whoever asked never learnt it.
      const crashed = createCharges(withoutRetries(target()), fileIntentStore({ folder }));
      await expect(crashed.charge("4711", paymentOf("tok_drop_reply"))).rejects.toThrow();
      await inAnyProcess().resume((name) => errors.push(name));
      const again = await inAnyProcess().charge("4711", paymentOf("tok_drop_reply"));
      const changed = await inAnyProcess().charge("4711", paymentOf("tok_declined"));
      expect(again.payment?.status).toBe(CAPTURED);
      expect(changed).toEqual(again);
    });
    expect(effects).toBe(1);
    expect(errors).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe("messages and files", () => {
  it("a message that is delivered twice at once is charged once", async () => {
    const job = { id: "message-1", payment: paymentOf("tok_visa") };
    const effects = await effectsDuring(async () => {
      const results = await Promise.all([handle(payments, job), handle(payments, job)]);
      expect(results).toEqual(["acknowledge", "acknowledge"]);
    });
    expect(effects).toBe(1);
  });

  it("a message whose request can never succeed is put aside, one not answered comes again", async () => {
    const invalid = { id: "message-2", payment: { amount: paymentOf("tok_visa").amount } };
    expect(await handle(payments, invalid)).toBe("dead_letter");
    const gone = withoutRetries("http://127.0.0.1:1");
    const lost = { id: "message-3", payment: paymentOf("tok_visa") };
    expect(await handle(gone, lost)).toBe("redeliver");
  });

  it("a file that is run twice pays each line once", async () => {
    const file = Array.from({ length: 12 }, (_, line) => ({
      id: `salaries-2026-10/${line}`,
      payment: paymentOf("tok_visa"),
    }));
    const effects = await effectsDuring(async () => {
      expect(await payFile(payments, file)).toEqual({ left: [] });
      expect(await payFile(payments, file)).toEqual({ left: [] });
    });
    expect(effects).toBe(12);
  });
});

describe("a checkout in a browser", () => {
  const saved = new Map<string, string>();
  const storage = {
    getItem: (name: string) => saved.get(name) ?? null,
    setItem: (name: string, value: string) => void saved.set(name, value),
    removeItem: (name: string) => void saved.delete(name),
  };

  /** The page as it is after a load. */
  function load(cartId: string) {
    const transport = createConnectTransport({
      baseUrl: `http://${cluster.services[0]?.httpAddress}`,
      httpVersion: "1.1",
      interceptors: [connectInterceptor()],
    });
    return createCheckout({ payments: createClient(PaymentService, transport), storage, cartId });
  }

  it("charges once for a double click and a reload", async () => {
    const effects = await effectsDuring(async () => {
      const page = load("cart-1");
      const clicks = [page.pay(paymentOf("tok_visa")), page.pay(paymentOf("tok_visa"))];
      const answers = [
        ...(await Promise.all(clicks)),
        await load("cart-1").pay(paymentOf("tok_visa")),
      ];
      expect(new Set(answers.map(({ payment }) => payment?.id)).size).toBe(1);
    });
    expect(effects).toBe(1);
  });

  it("lets another card be tried after a decline", async () => {
    const page = load("cart-2");
    const declined = await page.pay(paymentOf("tok_declined"));
    const paid = await page.pay(paymentOf("tok_visa"));
    expect(declined.payment?.status).toBe(DECLINED);
    expect(paid.payment?.status).toBe(CAPTURED);
    expect(paid.payment?.id).not.toBe(declined.payment?.id);
  });
});
