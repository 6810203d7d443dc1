import type { ServiceHandlers } from "../../src/index.js";
import type { Order, OrderService } from "./gen/acme/orders/v1/orders_pb.js";

/** A shop that remembers its orders. Nothing here knows of keys or duplicates. */
export function createOrders(): ServiceHandlers<typeof OrderService> {
  const orders: Omit<Order, "$typeName">[] = [];
  return {
    async placeOrder({ article, quantity }) {
      const order = { id: `order-${orders.length + 1}`, article, quantity };
      orders.push(order);
      return { order };
    },

    async listOrders() {
      return { orders };
    },
  };
}
