import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../support/cluster.js";
import { post } from "../service/http.js";
import { postRaw } from "./raw-http.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, redisNodes: 0 });
});
afterAll(() => cluster?.stop());

it.each(["a b", "[", "a:99999999", "@", "%", "^", ""])(
  "a request whose Host is %j is refused, and the service goes on",
  async (host) => {
    const address = cluster.services[0]?.httpAddress ?? "";
    expect(await postRaw(address, { host })).toMatch(/^HTTP\/1\.1 400 /);
    const body = '{"amount":{"currencyCode":"EUR","minorUnits":"100"},"paymentMethod":"tok_visa"}';
    const paid = await post({ address, method: "CreatePayment", body, key: `host-${host.length}` });
    expect(paid.status, paid.text).toBe(200);
  },
);
