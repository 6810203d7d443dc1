import type { Pool } from "pg";
import type { Operated, Operation } from "../operation.js";
import { findOperations, paymentNameOf } from "./operations.js";
import { findPayments } from "./payments.js";
import { byName, mustExist, nameKey } from "./rows.js";

/** Reads operations and their payments as they are now, by position. @throws if one is not there. */
export type FindOperated = (operations: readonly Operation[]) => Promise<readonly Operated[]>;

/** A step that is planned from an operation as it began, or as it is by now. */
export const sinceBegun = (findOperated: FindOperated) => ({
  knownOf: ({ begun }: { readonly begun: Operated }): Operated => begun,
  read: (items: readonly { readonly begun: Operated }[]) =>
    findOperated(items.map(({ begun }) => begun.operation)),
});

export const createFindOperated =
  (pool: Pool): FindOperated =>
  async (operations) => {
    const [{ found }, payments] = await Promise.all([
      findOperations(pool, operations),
      findPayments(pool, operations.map(paymentNameOf)),
    ]);
    const operationNamed = byName(found.map(({ operation }) => operation));
    const paymentNamed = byName(payments);
    return operations.map((operation) => ({
      operation: mustExist(operationNamed.get(nameKey(operation)), "an operation"),
      payment: mustExist(paymentNamed.get(nameKey(paymentNameOf(operation))), "a payment"),
    }));
  };
