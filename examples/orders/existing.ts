import {
  Server,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { idempotencyInterceptor, idempotent } from "../../src/grpc/index.js";
import { createExecutor } from "../../src/index.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { OrderService } from "./gen/acme/orders/v1/orders_pb.js";

// A service as there are many: loaded at run time, with handlers that call back.

interface Order {
  readonly id: string;
  readonly article: string;
  readonly quantity: number;
}

function loadOrderService(includeDirs: string[]): ServiceDefinition {
  const loaded = loadSync("acme/orders/v1/orders.proto", { includeDirs });
  return loaded["acme.orders.v1.OrderService"] as ServiceDefinition; // the file says so
}

function createOrders() {
  const orders: Order[] = [];
  return {
    placeOrder(
      { request }: ServerUnaryCall<Omit<Order, "id">, object>,
      callback: sendUnaryData<{ readonly order: Order }>,
    ) {
      const order = { ...request, id: `order-${orders.length + 1}` };
      orders.push(order);
      callback(null, { order });
    },
    listOrders(_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) {
      callback(null, { orders });
    },
  };
}

/** Before: a call that is sent twice is two orders. */
export function createUnprotectedServer(includeDirs: string[]): Server {
  const orderService = loadOrderService(includeDirs);
  const server = new Server();
  server.addService(orderService, createOrders());
  return server;
}

/** After: one order for one key, by the same handlers. */
export function createProtectedServer(includeDirs: string[]): Server {
  const orderService = loadOrderService(includeDirs);
  const executor = createExecutor({ store: createMemoryStore() });
  const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
  server.addService(idempotent(OrderService, { definition: orderService }), createOrders());
  return server;
}
