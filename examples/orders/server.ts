import { pathToFileURL } from "node:url";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { idempotencyInterceptor, idempotent, serviceImplementation } from "../../src/grpc/index.js";
import { createExecutor } from "../../src/index.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { OrderService } from "./gen/acme/orders/v1/orders_pb.js";
import { createOrders } from "./orders.js";

/** Serves the orders, each placed once for each key. */
export async function startOrderServer(address: string): Promise<{ server: Server; port: number }> {
  const executor = createExecutor({ store: createMemoryStore() });
  const server = new Server({ interceptors: [idempotencyInterceptor({ executor })] });
  server.addService(idempotent(OrderService), serviceImplementation(OrderService, createOrders()));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { port } = await startOrderServer(process.argv[2] ?? "127.0.0.1:50071");
  console.log(`orders on 127.0.0.1:${port}`);
}
