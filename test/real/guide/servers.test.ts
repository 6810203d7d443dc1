import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ServerCredentials } from "@grpc/grpc-js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrderServer } from "../../../docs/guide/snippets/server.js";
import { OrderService } from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";
import { createDatabase, type TestDatabase } from "../../support/servers/postgres.js";
import { type RedisNodeUnderTest, startRedisNodeUnderTest } from "../../support/servers/redis.js";

type OrderClient = ReturnType<typeof connectTo>;

let database: TestDatabase;
let pool: pg.Pool;
let nodes: readonly RedisNodeUnderTest[];
const servers: Awaited<ReturnType<typeof createOrderServer>>[] = [];
const clients: OrderClient[] = [];

beforeAll(async () => {
  database = await createDatabase();
  nodes = await Promise.all([1, 2, 3].map(() => startRedisNodeUnderTest()));
  pool = new pg.Pool({ connectionString: database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  await pool.query("CREATE TABLE orders (id text, article text, quantity int)");
  clients.push(await startOrders(), await startOrders());
});

afterAll(async () => {
  await Promise.all(servers.map(({ stop }) => stop()));
  await pool?.end();
  await Promise.all((nodes ?? []).map((node) => node.stop()));
  await database?.drop();
});

/** One more process of the service, as far as its stores can tell. */
async function startOrders(): Promise<OrderClient> {
  const redisUrls = nodes.map(({ url }) => url);
  const onError = () => {}; // nodes are killed here
  const started = await createOrderServer({ databaseUrl: database.url, redisUrls, onError });
  servers.push(started);
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    started.server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return connectTo(`http://127.0.0.1:${port}`);
}

function connectTo(baseUrl: string) {
  return createClient(OrderService, createGrpcTransport({ baseUrl }));
}

async function place(client: OrderClient | undefined, quantity: number, key: string) {
  let replayed: string | null = null;
  const answer = await client?.placeOrder(
    { article: "book", quantity },
    {
      headers: { "idempotency-key": key },
      onHeader: (headers) => {
        replayed = headers.get("idempotency-replayed");
      },
    },
  );
  return { order: answer?.order, replayed };
}

async function rowsOf(quantity: number): Promise<number | null> {
  return (await pool.query("SELECT FROM orders WHERE quantity = $1", [quantity])).rowCount;
}

describe("a service built as in the guide", () => {
  it("places an order once for each key, at whichever server it is repeated", async () => {
    const first = await place(clients[0], 2, "a");
    const again = await place(clients[1], 2, "a");
    expect(first).toMatchObject({ order: { quantity: 2 }, replayed: null });
    expect(again).toEqual({ order: first.order, replayed: "true" });
    expect(await rowsOf(2)).toBe(1);
  });

  it("keeps order and answer in one commit: neither is there without the other", async () => {
    await pool.query("ALTER TABLE orders ADD CHECK (quantity < 100)");
    await expect(place(clients[0], 100, "refused")).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    const { rows } = await pool.query(
      "SELECT state, outcome FROM idempotency_records WHERE idempotency_key = 'refused'",
    );
    expect(rows).toEqual([{ state: "held", outcome: null }]);
    expect(await rowsOf(100)).toBe(0);
  });

  it("replays the answer from Postgres when all Redis nodes are gone", async () => {
    const first = await place(clients[0], 3, "b");
    await Promise.all(nodes.map((node) => node.kill()));
    const again = await place(clients[1], 3, "b");
    expect(again).toEqual({ order: first.order, replayed: "true" });
    expect(await rowsOf(3)).toBe(1);
  });
});
