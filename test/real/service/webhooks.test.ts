import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { MAX_FAILURES } from "../../../src/payments/webhooks/backoff.js";
import {
  eur,
  openPayments,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { createRandom } from "../../support/random.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";
import { waitUntil } from "../../support/service/service-process.js";
import {
  disordered,
  startReceiver,
  type WebhookReceiver,
  webhooksFile,
} from "../../support/service/webhook-receiver.js";

const PAYMENTS = 200;
const AT_ONCE = 8;

/** One of so many events is refused when it comes first. */
const FAILS_ONE_OF = 4;

/** Enough are left then that the other process has requests of its own under way when it is killed. */
const KILLED_AFTER = 150;

/** A failed event comes again after 6 s, one that a killed process had after 15 s. */
const DELIVERY_LIMIT_MS = 80_000;

let cluster: Cluster;
let pool: pg.Pool;
let receiver: WebhookReceiver;
let file: Awaited<ReturnType<typeof webhooksFile>>;
let payments: PaymentsClient;
/** Answers everything with an error. */
let isAway = false;

beforeAll(async () => {
  const random = createRandom(20_261_128);
  const seen = new Set<string>();
  receiver = await startReceiver({
    async answer({ webhookId }) {
      if (isAway) {
        return 500;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      const isFirst = !seen.has(webhookId);
      seen.add(webhookId);
      return isFirst && random.chance(1 / FAILS_ONE_OF) ? 503 : 204;
    },
  });
  file = await webhooksFile([receiver]);
  cluster = await startCluster({ services: 2, redisNodes: 0, env: file.env });
  pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  payments = openPayments(cluster.targets()[0] ?? "");
});

afterAll(async () => {
  payments?.close();
  await pool?.end();
  await cluster?.stop();
  await receiver?.close();
  await file?.remove();
});

const webhooks = (...args: readonly string[]) =>
  payonce(["webhooks", ...args], { DATABASE_URL: cluster.database.url });

/** Three transitions and more: authorized, captured in part, captured, refunded. */
async function pay(key: string): Promise<void> {
  const created = await untilAnswered(() =>
    payments.createPayment(paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL }), key),
  );
  const paymentId = created.answer.response?.payment?.id ?? "";
  await untilAnswered(() =>
    payments.capturePayment({ paymentId, amount: eur(1_000n) }, `${key}-part`),
  );
  await untilAnswered(() => payments.capturePayment({ paymentId }, `${key}-rest`));
  await untilAnswered(() => payments.refundPayment({ paymentId, amount: eur(1n) }, `${key}-back`));
}

describe("webhooks of two services", () => {
  it("bring every event, in order for each payment, though the endpoint fails and a service is killed", {
    timeout: 150_000,
  }, async () => {
    const keys = Array.from({ length: PAYMENTS }, (_, index) => `hook-${index}`);
    const killed = waitUntil(
      () => receiver.received.length >= KILLED_AFTER,
      DELIVERY_LIMIT_MS,
    ).then(() => cluster.services[1]?.stop());
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let key = keys.shift(); key !== undefined; key = keys.shift()) {
          await pay(key);
        }
      }),
    );
    await killed;

    const { rows } = await pool.query<{ payment_id: string; version: string }>(
      "SELECT payment_id, version FROM payment_events",
    );
    const events = new Set(rows.map(({ payment_id, version }) => `${payment_id} ${version}`));
    const missing = () => {
      const told = new Set(
        receiver.accepted().map(({ paymentId, version }) => `${paymentId} ${version}`),
      );
      return [...events].filter((event) => !told.has(event));
    };
    expect(events.size).toBeGreaterThan(3 * PAYMENTS);
    await waitUntil(() => missing().length === 0, DELIVERY_LIMIT_MS);

    expect(disordered(receiver.received)).toEqual([]);
    expect(receiver.forged()).toBe(0);
    expect(receiver.received.filter(({ status }) => status === 503).length).toBeGreaterThan(
      PAYMENTS / FAILS_ONE_OF,
    );
    await waitUntil(async () => {
      const left = await pool.query("SELECT FROM webhook_queues");
      return left.rowCount === 0;
    }, DELIVERY_LIMIT_MS);
  });

  it("leave no secret and no body in the log", async () => {
    const output = cluster.services.map((service) => service.output()).join("\n");
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    expect(output).toContain("an event could not be delivered");
    expect(lines.join("\n")).not.toMatch(/whsec_|v1,|tok_visa|\/hooks/);
  });

  it("are counted", async () => {
    const metrics = await (
      await fetch(`http://${cluster.services[0]?.httpAddress}/metrics`)
    ).text();
    expect(metrics).toMatch(/^payonce_webhooks_total\{result="delivered"\} [1-9]\d*$/m);
    expect(metrics).toMatch(/^payonce_webhooks_total\{result="failed"\} [1-9]\d*$/m);
    expect(metrics).toMatch(/^payonce_webhooks_dead 0$/m);
  });

  it("that were given up are listed, and sent again by an operator", async () => {
    isAway = true;
    await pay("given-up");
    await waitUntil(async () => {
      const failed = await pool.query(
        `UPDATE webhook_queues SET failures = $1, next_attempt_time = statement_timestamp()
         WHERE failures = 1`,
        [MAX_FAILURES - 1],
      );
      return failed.rowCount !== 0;
    }, DELIVERY_LIMIT_MS);
    const list = async (...args: string[]) => {
      const { code, stdout, stderr } = await webhooks("--json", ...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return JSON.parse(stdout);
    };
    await waitUntil(async () => (await list("--state", "dead")).length === 1, DELIVERY_LIMIT_MS);
    isAway = false;
    const [letter] = await list("--state", "dead", "--tenant", "default");
    expect(letter).toMatchObject({
      state: "dead",
      origin: new URL(receiver.url).origin,
      failures: MAX_FAILURES,
      lastFailure: "answered 500",
    });
    expect((await webhooks()).stdout).toContain(`payment ${letter.payment}`);

    const before = receiver.accepted().length;
    expect(await list("--resend", "--endpoint", "we_0000000000000000")).toEqual({ resent: 0 });
    expect(await list("--resend", "--event", letter.event)).toEqual({ resent: 1 });
    await waitUntil(() => receiver.accepted().length > before, DELIVERY_LIMIT_MS);
    await waitUntil(async () => (await list("--state", "dead")).length === 0, DELIVERY_LIMIT_MS);
    expect(
      receiver
        .accepted()
        .slice(before)
        .map(({ webhookId }) => webhookId.split("-")[0]),
    ).toContain(letter.event);
  });

  it.each([
    [["--resend"], "--resend is accepted only with --endpoint or --event"],
    [["--resend", "--event", "1", "--state", "pending"], "it accepts no --state pending"],
    [["--event", "first"], "--event accepts the number of an event"],
  ])("payonce webhooks %j is refused in words", async (args, words) => {
    const { code, stderr } = await webhooks(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe("a service whose file of endpoints is wrong", () => {
  it("does not start, and says which entry accepts what", async () => {
    const wrong = await webhooksFile([{ url: "http://shop.example/hunter2" }]);
    await expect(cluster.addService(wrong.env)).rejects.toThrow(
      'WEBHOOKS_FILE: entry 0: "url" accepts an https URL',
    );
    await wrong.remove();
  });
});
