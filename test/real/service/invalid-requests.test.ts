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

let cluster: Cluster;
let pool: pg.Pool;
let service: ServiceProcess;
let client: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  service = await cluster.addService();
  client = openPayments(service.grpcAddress);
  pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
});

afterAll(async () => {
  client?.close();
  await pool?.end();
  await cluster?.stop();
});

/** How many rows there are, and the last fencing token: a claim that is given back uses one up. */
async function written() {
  const tables = ["idempotency_records", "idempotency_events", "payments", "operations"];
  const counts = tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`);
  const { rows } = await pool.query(
    `SELECT ${counts.join(", ")}, (SELECT (last_value, is_called)::text FROM idempotency_fencing_tokens)`,
  );
  return rows;
}

const INVALID_BODIES = {
  CreatePayment: { amount: { currencyCode: "EUR", minorUnits: "0" }, paymentMethod: "tok_visa" },
  CapturePayment: { paymentId: "" },
  CancelPayment: { paymentId: "" },
  RefundPayment: { paymentId: "p", amount: { currencyCode: "XXX", minorUnits: "1" } },
} as const;

describe("a request that is not valid", () => {
  it("is refused and writes nothing, over gRPC", async () => {
    const before = await written();
    const amount = { currencyCode: "XXX", minorUnits: 1n };
    const results = [
      await client.createPayment({ ...paymentOf("tok_visa"), paymentMethod: "" }, "invalid"),
      await client.capturePayment({ paymentId: "" }, "invalid"),
      await client.cancelPayment({ paymentId: "" }, "invalid"),
      await client.refundPayment({ paymentId: "p", amount }, "invalid"),
    ];
    for (const result of results) {
      expect(refusalOf(result)).toMatchObject({
        code: Code.INVALID_ARGUMENT,
        field: expect.any(String),
        pushback: "-1",
      });
    }
    expect(await written()).toEqual(before);
  });

  it.each(Object.entries(INVALID_BODIES))(
    "is refused and writes nothing, over Connect: %s",
    async (method, body) => {
      const before = await written();
      const { status, text } = await post({
        address: service.httpAddress,
        method,
        key: "invalid",
        body: JSON.stringify(body),
      });
      expect(status).toBe(400);
      expect(JSON.parse(text)).toMatchObject({ code: "invalid_argument" });
      expect(await written()).toEqual(before);
    },
  );

  it("leaves its key to a corrected one", async () => {
    const answer = await client.createPayment(paymentOf("tok_visa"), "invalid");
    expect(answer.code).toBe(Code.OK);
    // A key that has a record comes first, however wrong the request.
    const reused = await client.createPayment({ paymentMethod: "" }, "invalid");
    expect(refusalOf(reused).reason).toBe("IDEMPOTENCY_KEY_REUSED");
  });
});
