import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { postRaw } from "./raw-http.js";

const TOKEN = "a-token-of-one-caller";

let cluster: Cluster;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-hosts-"));
  const file = join(directory, "tokens.json");
  const sha256 = createHash("sha256").update(TOKEN).digest("hex");
  await writeFile(file, JSON.stringify([{ sha256, tenant: "acme", role: "caller" }]));
  // With authentication any Host is good, so that it gets as far as it can.
  cluster = await startCluster({ services: 1, redisNodes: 0, env: { AUTH_TOKENS_FILE: file } });
});
afterAll(async () => {
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

it.each(["a b", "[", "a:99999999", "@", "%", "^", ""])(
  "a request whose Host is %j is refused, and the service goes on",
  async (host) => {
    const address = cluster.services[0]?.httpAddress ?? "";
    const caller = { authorization: `Bearer ${TOKEN}`, "idempotency-key": randomUUID() };
    expect(await postRaw(address, { ...caller, host })).toMatch(/^HTTP\/1\.1 400 /);
    expect(await postRaw(address, caller)).toMatch(/^HTTP\/1\.1 200 /);
  },
);
