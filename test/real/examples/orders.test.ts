import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { OrderService } from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";
import { type ExampleProcess, startExample } from "./example-process.js";

async function startOrders(port = 0): Promise<ExampleProcess> {
  const server = await startExample("orders/server.ts", [`127.0.0.1:${port}`]);
  onTestFinished(() => server.kill());
  return server;
}

/** A real gRPC client. */
function openOrders({ port }: ExampleProcess) {
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const { placeOrder, listOrders } = createClient(OrderService, transport);

  async function place(quantity: number, key?: string) {
    let replayed: string | null = null;
    const { order } = await placeOrder(
      { article: "book", quantity },
      {
        headers: key === undefined ? {} : { "idempotency-key": key },
        onHeader: (headers) => {
          replayed = headers.get("idempotency-replayed");
        },
      },
    );
    return { order, replayed };
  }

  return { place, list: async () => (await listOrders({})).orders };
}

describe("the orders example", () => {
  it("places one order for one key, however often it is called", async () => {
    const { place, list } = openOrders(await startOrders());
    const first = await place(2, "a");
    const second = await place(2, "a");
    expect(first).toMatchObject({ order: { id: "order-1", quantity: 2 }, replayed: null });
    expect(second).toEqual({ order: first.order, replayed: "true" });
    expect(await list()).toEqual([first.order]);
  });

  it("places another order for another key", async () => {
    const { place, list } = openOrders(await startOrders());
    await place(2, "a");
    await place(2, "b");
    expect((await list()).map(({ id }) => id)).toEqual(["order-1", "order-2"]);
  });

  it("refuses another order under the same key, and an order without one", async () => {
    const { place, list } = openOrders(await startOrders());
    await place(2, "a");
    await expect(place(3, "a")).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await expect(place(3)).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(await list()).toHaveLength(1);
  });

  it("forgets its orders and their keys together when it is killed: both are in memory", async () => {
    const server = await startOrders();
    await openOrders(server).place(2, "a");
    await server.kill();
    const { place, list } = openOrders(await startOrders(server.port));
    expect(await place(2, "a")).toMatchObject({ replayed: null });
    expect(await place(2, "a")).toMatchObject({ replayed: "true" });
    expect(await list()).toHaveLength(1);
  });
});
