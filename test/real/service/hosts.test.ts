import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byKey, openPayments, refusalOf } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const CREATE_PAYMENT = "/payonce.payments.v1.PaymentService/CreatePayment";
const REQUEST = { amount: { currencyCode: "EUR", minorUnits: "1999" }, paymentMethod: "tok_visa" };

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({
    services: 1,
    redisNodes: 0,
    env: { HTTP_ALLOWED_HOSTS: "pay.example" },
  });
});

afterAll(() => cluster?.stop());

function call(path: string, headers: OutgoingHttpHeaders, body?: object) {
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const request = httpRequest(`http://${cluster.services[0]?.httpAddress}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...headers, ...(body && { "content-type": "application/json" }) },
      agent: false,
    });
    request.on("error", reject);
    request.on("response", (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode, text: answer }),
        reject,
      );
    });
    request.end(body && JSON.stringify(body));
  });
}

const pay = (key: string, headers: OutgoingHttpHeaders) =>
  call(CREATE_PAYMENT, { "idempotency-key": key, ...headers }, REQUEST);

describe("a web page of somebody else", () => {
  it.each([
    ["whose name leads here", "Host", { host: "evil.example:8080" }],
    ["elsewhere", "Origin", { origin: "https://evil.example" }],
  ])("%s is refused, and pays nothing", async (what, header, headers) => {
    const key = what.replaceAll(" ", "-");
    const refused = await pay(key, headers);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toEqual({
      code: "permission_denied",
      message: expect.stringMatching(new RegExp(` ${header} .*HTTP_ALLOWED_HOSTS`)),
    });
    expect((await call("/metrics", headers)).status).toBe(403);
    const client = openPayments(cluster.targets()[0] ?? "");
    expect(refusalOf(await client.getPayment({ ...byKey(key) }))).toMatchObject({
      reason: "PAYMENT_NOT_FOUND",
    });
    client.close();
  });
});

it("this service's own names pay, and those that HTTP_ALLOWED_HOSTS has", async () => {
  for (const [index, headers] of [
    {},
    { host: "localhost:1" },
    { host: "pay.example", origin: "https://pay.example" },
    { origin: "http://localhost:3000" },
  ].entries()) {
    expect((await pay(`allowed-${index}`, headers)).status).toBe(200);
  }
});

it("/healthz answers a probe by whatever name it calls", async () => {
  expect(await call("/healthz", { host: "pod-7.example" })).toEqual({ status: 200, text: "ok\n" });
});
