import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { createDatabase } from "../../support/servers/postgres.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { payonce } from "../../support/service/command-line.js";

let cluster: Cluster;
let target: string;
let payments: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  target = (await cluster.addService()).grpcAddress;
  payments = openPayments(target);
});

afterAll(async () => {
  payments?.close();
  await cluster?.stop();
});

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await payonce(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("payonce inspect", () => {
  const record = ["inspect", "--key", "found-out"];

  beforeAll(async () => {
    const create = (token: string, key: string) =>
      untilAnswered(() => payments.createPayment(paymentOf(token), key));
    await create("tok_drop_reply", "found-out");
    await create("tok_visa", "plain");
  });

  it("shows a record and its history", async () => {
    const text = await printed(...record, "--target", target);
    expect(text).toMatch(/^state +completed$/m);
    expect(text).toMatch(/^key +found-out$/m);
    expect(text).toMatch(/^operation +payonce\.payments\.v1\.PaymentService\/CreatePayment$/m);
    const history = text.slice(text.indexOf("history\n")).trim().split("\n").slice(1);
    expect(history.map((line) => line.trim().split(/ {2}/)[1]?.split(" (")[0])).toEqual([
      "claimed",
      "outcome unknown",
      "taken over",
      "completed",
    ]);
  });

  it("shows it as JSON", async () => {
    const text = await printed(...record, "--json", "--target", target);
    expect(JSON.parse(text)).toMatchObject({
      record: { state: "RECORD_STATE_COMPLETED", idempotencyKey: "found-out", attempts: 2 },
    });
  });

  it("lists records, the newest first", async () => {
    const lines = (await printed("inspect", "--target", target)).trim().split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/ completed .*CreatePayment {2}plain$/),
      expect.stringMatching(/ completed .*CreatePayment {2}found-out$/),
    ]);
    expect(await printed("inspect", "--state", "held", "--target", target)).toBe("no records\n");
  });

  it("says that there is no record", async () => {
    const { code, stderr } = await payonce(["inspect", "--key", "none", "--target", target]);
    expect(stderr).toBe("this key has no record\n");
    expect(code).toBe(1);
  });
});

describe("payonce migrate", () => {
  it("applies everything once, then says that nothing is left; a restore is another generation", async () => {
    const database = await createDatabase();
    const migrate = ["migrate", "--database-url", database.url];
    const first = await printed(...migrate);
    expect(first).toMatch(/^applied idempotency\/0001.*\ndeployment \S+, generation \S{36}\n$/);
    const [, deployment] = first.split("\n");
    expect(await printed(...migrate)).toBe(`up to date\n${deployment}\n`);
    const restored = await printed(...migrate, "--restored");
    expect(restored).toMatch(/^up to date\ndeployment \S+, generation \S{36}\n$/);
    expect(restored).not.toContain(deployment);
    await database.drop();
  });

  it("names DATABASE_URL where it cannot be reached", async () => {
    const url = "postgres://payonce:hunter2@127.0.0.1:1/payonce";
    const { code, stderr } = await payonce(["migrate"], {
      DATABASE_URL: url,
      DATABASE_WAIT_MS: "0ms",
    });
    expect(stderr).toMatch(/^DATABASE_URL: .*ECONNREFUSED.*\n$/);
    expect(stderr).not.toContain("hunter2");
    expect(code).toBe(1);
  });
});

it("payonce storm reports one effect for each key", async () => {
  const calls = ["--calls", "40", "--keys", "4"];
  const servers = ["--target", target, "--processor", cluster.sandbox.address];
  const text = await printed("storm", ...calls, ...servers);
  expect(text).toMatch(/^exactly once: 4 effects for 4 keys$/m);
});
