import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPayments, paymentOf } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { type ServiceProcess, waitUntil } from "../../support/service/service-process.js";
import {
  startReceiver,
  type WebhookReceiver,
  webhooksFile,
} from "../../support/service/webhook-receiver.js";
import { type CertificateAuthority, createAuthority } from "./certificates.js";

const LIMIT_MS = 20_000;

let cluster: Cluster;
let directory: string;
let authority: CertificateAuthority;
const receivers: WebhookReceiver[] = [];
let payments = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-webhooks-tls-"));
  authority = await createAuthority(directory, "authority");
  cluster = await startCluster({ services: 0, redisNodes: 0 });
});

afterAll(async () => {
  await cluster?.stop();
  await Promise.all(receivers.map((receiver) => receiver.close()));
  await rm(directory, { recursive: true, force: true });
});

/** An https endpoint whose certificate an authority has signed. */
async function receive(
  issuer: CertificateAuthority,
  answer?: () => Promise<number>,
): Promise<WebhookReceiver> {
  const tls = await issuer.issue("shop");
  const receiver = await startReceiver({ tls, ...(answer === undefined ? {} : { answer }) });
  receivers.push(receiver);
  return receiver;
}

/** A service that trusts the authority and tells an endpoint of one payment. */
async function serveTo(
  url: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const file = await webhooksFile([{ url }]);
  const trust = { NODE_EXTRA_CA_CERTS: authority.certFile };
  const service = await cluster.addService({ ...file.env, ...trust, ...env });
  await file.remove();
  payments += 1;
  const client = openPayments(service.grpcAddress);
  await client.createPayment(paymentOf("tok_visa"), `tls-${payments}`);
  client.close();
  return service;
}

const failedWith = (service: ServiceProcess, reason: string) =>
  waitUntil(() => service.output().includes(`"reason":"${reason}`), LIMIT_MS);

describe("an https endpoint", () => {
  it("is told of events where its certificate is right", async () => {
    const receiver = await receive(authority);
    const service = await serveTo(receiver.url);
    await waitUntil(() => receiver.accepted().length === 2, LIMIT_MS);
    expect(receiver.received.map(({ version }) => version)).toEqual([1, 2]);
    await service.stop();
  });

  it("is told nothing where an authority that nobody trusts has signed it", async () => {
    const stranger = await createAuthority(directory, "stranger");
    const receiver = await receive(stranger);
    const service = await serveTo(receiver.url);
    await failedWith(service, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    expect(receiver.received).toEqual([]);
    await service.stop();
  });

  it("is told nothing where its name leads to this machine, unless that is allowed", async () => {
    const receiver = await receive(authority);
    const { port } = new URL(receiver.url);
    const refused = await serveTo(`https://localhost:${port}/`, { WEBHOOKS_ALLOW_PRIVATE: "no" });
    await failedWith(refused, "the address is private");
    expect(receiver.received).toEqual([]);
    await refused.stop();
  });
});

describe("a stop", () => {
  it("waits for a slow endpoint for a part of its time, and leaves the event to another", async () => {
    let isSlow = true;
    const receiver = await receive(authority, () =>
      isSlow ? new Promise<number>(() => {}) : Promise.resolve(204),
    );
    const first = await serveTo(receiver.url, { SHUTDOWN_TIMEOUT_MS: "4s" });
    await waitUntil(() => receiver.received.length === 1, LIMIT_MS);
    const sinceMs = performance.now();
    first.kill("SIGTERM");
    expect(await first.exited).toBe(0);
    expect(performance.now() - sinceMs).toBeLessThan(4_000);
    isSlow = false;
    const second = await serveTo(receiver.url);
    await waitUntil(() => receiver.accepted().length === 4, LIMIT_MS);
    await second.stop();
  });
});
