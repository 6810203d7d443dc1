import { expect, it } from "vitest";
import { openPayments, paymentOf, refusalOf } from "../../support/payments/payments-client.js";
import { startCluster } from "../../support/service/cluster.js";
import { waitUntil } from "../../support/service/service-process.js";

const REAP_LIMIT_MS = 40_000;

it("a service shrinks answers past their retention, counts them, and refuses their keys", async () => {
  const env = { IDEMPOTENCY_RETENTION_MS: "1s" };
  const cluster = await startCluster({ services: 1, redisNodes: 0, env });
  const [service] = cluster.services;
  const client = openPayments(service?.grpcAddress ?? "");
  const create = () => client.createPayment(paymentOf("tok_visa"), "reaped");
  const { response } = await create();
  await waitUntil(async () => {
    const metrics = await (await fetch(`http://${service?.httpAddress}/metrics`)).text();
    return /^payonce_reaped_total 1$/m.test(metrics);
  }, REAP_LIMIT_MS);
  expect(refusalOf(await create()).reason).toBe("IDEMPOTENCY_KEY_EXPIRED");
  const lookup = { case: "paymentId", value: response?.payment?.id ?? "" } as const;
  expect((await client.getPayment({ lookup })).response?.payment).toEqual(response?.payment);
  client.close();
  await cluster.stop();
});
