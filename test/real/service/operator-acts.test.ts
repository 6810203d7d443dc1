import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");

const callers = {
  caller: { tenant: "acme", role: "caller" },
  operator: { tenant: "acme", role: "operator" },
  other: { tenant: "umbrella", role: "operator" },
  global: { tenant: "house", role: "global_operator" },
} as const;

type Name = keyof typeof callers;

let directory: string;
let cluster: Cluster;
let as: Record<Name, PaymentsClient>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "payonce-test-acts-"));
  const entries = Object.entries(callers).map(([token, who]) => ({
    sha256: sha256(token),
    ...who,
  }));
  const file = join(directory, "tokens.json");
  await writeFile(file, JSON.stringify(entries));
  cluster = await startCluster({ services: 1, env: { AUTH_TOKENS_FILE: file } });
  const open = (token: Name) => openPayments(cluster.targets()[0] ?? "", { token });
  as = {
    caller: open("caller"),
    operator: open("operator"),
    other: open("other"),
    global: open("global"),
  };
  await as.caller.createPayment(paymentOf("tok_visa"), "paid");
});
afterAll(async () => {
  for (const client of Object.values(as ?? {})) {
    client.close();
  }
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function actsOf(
  client: PaymentsClient,
  request: { tenant?: string; pageSize?: number } = {},
) {
  return (await client.listOperatorActs(request)).response?.acts ?? [];
}

describe("what an operator asks for", () => {
  it("is written down: who, from where, whose key, why, and what came of it", async () => {
    const name = { operation: OPERATION, idempotencyKey: "paid" };
    await as.operator.getRecord({ name });
    await as.global.resolveKey({
      name: { ...name, tenant: "acme" },
      fencingToken: 1n,
      reason: "asked the bank",
      resolution: { case: "notExecuted", value: {} },
    });
    const acts = await actsOf(as.operator);
    expect(acts.slice(0, 3)).toMatchObject([
      { method: "ListOperatorActs", tenant: "acme", result: "" }, // the call that lists them
      {
        identity: `token ${sha256("global").slice(0, 12)}`,
        role: "global_operator",
        operatorTenant: "house",
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        method: "ResolveKey",
        tenant: "acme",
        operation: OPERATION,
        idempotencyKey: "paid",
        resolution: "notExecuted",
        reason: "asked the bank",
        result: "RECORD_CHANGED",
      },
      {
        identity: `token ${sha256("operator").slice(0, 12)}`,
        operatorTenant: "acme",
        method: "GetRecord",
        idempotencyKey: "paid",
        result: "OK",
      },
    ]);
    expect(acts.map(({ time }) => time)).not.toContain(undefined);
  });

  it("is shown to operators of that tenant, and to those of all", async () => {
    await as.operator.listRecords({});
    expect((await actsOf(as.other)).map(({ tenant }) => tenant)).not.toContain("acme");
    expect((await actsOf(as.global, { tenant: "acme" })).length).toBeGreaterThan(0);
    const refused = await as.other.listOperatorActs({ tenant: "acme" });
    expect(refusalOf(refused)).toMatchObject({ reason: "OPERATOR_REQUIRED" });
    expect(refusalOf(await as.caller.listOperatorActs({}))).toMatchObject({
      reason: "OPERATOR_REQUIRED",
    });
  });

  it("is listed page by page, the newest first", async () => {
    for (let calls = 0; calls < 5; calls += 1) {
      await as.other.listRecords({ operation: `operation-${calls}` });
    }
    const operations: string[] = [];
    let pageToken = "";
    do {
      const { response } = await as.other.listOperatorActs({ pageSize: 2, pageToken });
      const listed = response?.acts.filter(({ method }) => method === "ListRecords") ?? [];
      operations.push(...listed.map(({ operation }) => operation));
      pageToken = response?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(operations).toEqual([4, 3, 2, 1, 0].map((call) => `operation-${call}`));
    const refused = await as.other.listOperatorActs({ pageToken: "a page" });
    expect(refusalOf(refused)).toMatchObject({ reason: "FIELD_INVALID" });
  });

  it("is written down also where it cannot be stored as it is", async () => {
    await as.other.listRecords({ operation: "with \0 and \ud800" });
    const [, listed] = await actsOf(as.other);
    expect(listed).toMatchObject({ method: "ListRecords" });
  });

  it("is not carried out where it cannot be written down", async () => {
    const client = new pg.Client({ connectionString: cluster.database.url });
    await client.connect();
    await client.query("ALTER TABLE operator_acts RENAME TO operator_acts_away");
    const { code, response } = await as.operator.listRecords({});
    expect(code).not.toBe(Code.OK);
    expect(response).toBeUndefined();
    await client.query("ALTER TABLE operator_acts_away RENAME TO operator_acts");
    await client.end();
    expect((await as.operator.listRecords({})).code).toBe(Code.OK);
  });
});
