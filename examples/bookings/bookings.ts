import { create, toBinary } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import {
  Code,
  deriveId,
  Final,
  NotExecuted,
  requireExecution,
  type ServiceHandlers,
} from "../../src/index.js";
import { inTransaction } from "../../src/stores/postgres/index.js";
import type { TakeDeposit } from "./deposits.js";
import { type BookingService, BookRoomResponseSchema } from "./gen/acme/bookings/v1/bookings_pb.js";
import { confirm, free, listConfirmed, reserve } from "./rooms.js";

export interface BookingDependencies {
  readonly pool: Pool;
  readonly takeDeposit: TakeDeposit;
}

/**
 * Reserves, takes a deposit, confirms. An attempt may end anywhere; the next
 * one finds its own reservation, and the deposit that was taken under its key.
 */
export function createBookings({
  pool,
  takeDeposit,
}: BookingDependencies): ServiceHandlers<typeof BookingService, PoolClient> {
  return {
    async bookRoom({ room, night, guest, paymentMethod }, context) {
      const execution = requireExecution(context);
      if (!/^\d{4}-\d\d-\d\d$/.test(night)) {
        throw new NotExecuted({
          code: Code.INVALID_ARGUMENT,
          reason: "NIGHT_INVALID",
          message: "night must be a date, YYYY-MM-DD",
          next: "fix_request",
          field: "night",
        });
      }
      // An owner that slept past its lease is stopped here, and writes nothing.
      const asOwner = (work: (transaction: PoolClient) => Promise<void>) =>
        inTransaction(pool, async (transaction) => {
          await execution.assertOwner(transaction);
          await work(transaction);
        });

      const booking = { id: deriveId("booking", execution.scope), room, night, guest };
      await asOwner((transaction) => reserve(transaction, booking));
      const deposit = await takeDeposit({
        key: deriveId("deposit", execution.scope),
        reference: booking.id,
        paymentMethod,
        signal: execution.signal,
      });
      if (deposit === "declined") {
        await asOwner((transaction) => free(transaction, booking.id));
        throw new Final({
          code: Code.FAILED_PRECONDITION,
          reason: "DEPOSIT_DECLINED",
          message: "the deposit was declined, and the room is free again",
          next: "fix_request",
        });
      }
      const response = create(BookRoomResponseSchema, { booking });
      await asOwner(async (transaction) => {
        await confirm(transaction, booking.id);
        await execution.completeWithin(transaction, toBinary(BookRoomResponseSchema, response));
      });
      return response;
    },

    async listBookings() {
      return { bookings: await listConfirmed(pool) };
    },
  };
}
