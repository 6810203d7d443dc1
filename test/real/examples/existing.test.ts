import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createProtectedServer,
  createUnprotectedServer,
} from "../../../examples/orders/existing.js";
import { OrderService } from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";

const PROTOS = ["examples/orders/proto", "proto"];

/** Sends one order twice, with one key, and returns what was placed. */
async function ordersAfterARepeatedCall(server: Server) {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const { placeOrder, listOrders } = createClient(OrderService, transport);
  for (const _attempt of ["first", "second"]) {
    await placeOrder(
      { article: "book", quantity: 2 },
      { headers: { "idempotency-key": "my-order" } },
    );
  }
  return (await listOrders({})).orders.map(({ id }) => id);
}

describe("a service that exists already, loaded by proto-loader", () => {
  it("places two orders for a repeated call before it is protected", async () => {
    expect(await ordersAfterARepeatedCall(createUnprotectedServer(PROTOS))).toEqual([
      "order-1",
      "order-2",
    ]);
  });

  it("places one order once it is, with the same handlers", async () => {
    expect(await ordersAfterARepeatedCall(createProtectedServer(PROTOS))).toEqual(["order-1"]);
  });
});
