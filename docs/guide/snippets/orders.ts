import { create, toBinary } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import {
  type OrderService,
  PlaceOrderResponseSchema,
} from "../../../examples/orders/gen/acme/orders/v1/orders_pb.js";
import { deriveId, requireExecution, type ServiceHandlers } from "../../../src/index.js";
import { inTransaction } from "../../../src/stores/postgres/index.js";

export function createOrders(pool: Pool): ServiceHandlers<typeof OrderService, PoolClient> {
  return {
    async placeOrder({ article, quantity }, context) {
      const execution = requireExecution(context);
      // The same call makes the same id, on whatever attempt and whatever restored database.
      const order = { id: deriveId("order", execution.scope), article, quantity };
      const response = create(PlaceOrderResponseSchema, { order });
      await inTransaction(pool, async (transaction) => {
        await execution.assertOwner(transaction); // nobody takes over before the commit
        await transaction.query("INSERT INTO orders (id, article, quantity) VALUES ($1, $2, $3)", [
          order.id,
          article,
          quantity,
        ]);
        const body = toBinary(PlaceOrderResponseSchema, response);
        await execution.completeWithin(transaction, body);
      });
      return response;
    },

    async listOrders() {
      const { rows } = await pool.query("SELECT id, article, quantity FROM orders ORDER BY id");
      return { orders: rows };
    },
  };
}
