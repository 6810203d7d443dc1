import { afterAll, beforeAll, expect, it } from "vitest";
import { callRaw, connectRaw } from "../../support/calls/hostile-grpc.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { postRaw } from "./raw-http.js";

const SECRET = "sk_never_to_be_written";
const REQUESTS = 300;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, redisNodes: 0 });
});
afterAll(() => cluster?.stop());

it("headers that cannot be metadata leave no value in the output, and few lines", async () => {
  const [service] = cluster.services;
  const before = service?.output() ?? "";
  const session = await connectRaw(service?.grpcAddress ?? "");
  const values = [`Bearer ${SECRET}\tx`, `Bearer ${SECRET}\u00e9`, `Bearer ${SECRET}\x7f`];
  for (let index = 0; index < REQUESTS; index += 1) {
    const authorization = values[index % values.length] ?? "";
    await callRaw(session, { headers: { authorization, "x-token": authorization } });
  }
  session.close();
  for (const authorization of values) {
    await postRaw(service?.httpAddress ?? "", { authorization });
  }
  const written = (service?.output() ?? "").slice(before.length);
  expect(written).not.toContain(SECRET);
  expect(written.split("\n").length).toBeLessThan(30);
});
