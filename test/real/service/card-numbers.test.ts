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
import { post } from "../../support/service/http.js";
import type { ServiceProcess } from "../../support/service/service-process.js";

const CARD = "4111-1111-1111-1111";

let cluster: Cluster;
let service: ServiceProcess;
let client: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  [service] = cluster.services as [ServiceProcess];
  client = openPayments(service.grpcAddress);
});
afterAll(async () => {
  client?.close();
  await cluster?.stop();
});

/** In how many rows of the database a text stands, as text or within bytes. */
async function storedIn(text: string): Promise<number> {
  const connection = new pg.Client({ connectionString: cluster.database.url });
  await connection.connect();
  try {
    const { rows: tables } = await connection.query(
      "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    );
    const counts = tables.map(
      ({ name }) =>
        `(SELECT count(*) FROM ${name} AS row WHERE row::text LIKE $1 OR row::text LIKE $2)`,
    );
    const hex = Buffer.from(text).toString("hex");
    const { rows } = await connection.query(
      `SELECT (${counts.join(" + ")})::int AS found`,
      [text, hex].map((part) => `%${part}%`),
    );
    return rows[0].found;
  } finally {
    await connection.end();
  }
}

const fields = [
  ["payment_method", { paymentMethod: CARD }],
  ["merchant_reference", { merchantReference: `order ${CARD}` }],
  ["description", { description: `paid with ${CARD} 12/27` }],
  ["metadata", { metadata: { card: CARD } }],
  ["metadata", { metadata: { [CARD]: "card" } }],
] as const;

describe("a card number", () => {
  it.each(fields)("in %s is refused over gRPC and HTTP", async (field, part) => {
    const refused = refusalOf(
      await client.createPayment({ ...paymentOf("tok_visa"), ...part }, `card-in-${field}`),
    );
    expect(refused).toMatchObject({ code: Code.INVALID_ARGUMENT, reason: "FIELD_INVALID", field });
    const body = {
      amount: { currencyCode: "EUR", minorUnits: "100" },
      paymentMethod: "tok_visa",
      ...part,
    };
    const answer = await post({
      address: service.httpAddress,
      method: "CreatePayment",
      body: JSON.stringify(body),
      key: `card-in-${field}-json`,
    });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(`${field}: must not hold a card number`);
    expect(answer.text).not.toContain(CARD);
    expect(await storedIn(CARD)).toBe(0);
  });

  it("as the key is refused over gRPC and HTTP", async () => {
    const refused = refusalOf(await client.createPayment(paymentOf("tok_visa"), `order-${CARD}`));
    expect(refused).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      reason: "IDEMPOTENCY_KEY_INVALID",
      field: "idempotency-key",
    });
    const answer = await post({
      address: service.httpAddress,
      method: "CancelPayment",
      body: JSON.stringify({ paymentId: "p" }),
      key: CARD,
    });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain(CARD);
    expect(await storedIn(CARD)).toBe(0);
    expect(service.output()).not.toContain(CARD);
  });

  it("that only looks like one by its check digit is a key like any other", async () => {
    const times = ["1700000000004", "1700000000000000003", "12345678-1234-1234-1234-123456789012"];
    for (const key of times) {
      expect(await client.createPayment(paymentOf("tok_visa"), key)).toMatchObject({
        code: Code.OK,
      });
      expect(await storedIn(key)).toBeGreaterThan(0);
    }
  });
});
