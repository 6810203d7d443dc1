import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  CreatePaymentRequestSchema,
  durableIntents,
  type Intent,
  type IntentStore,
  KEY_METADATA,
  type PaymentService,
} from "../../../clients/typescript/src/index.js";
import { PATIENTLY } from "./pay.js";

export function createCharges(payments: Client<typeof PaymentService>, store: IntentStore) {
  const intents = durableIntents({ store });

  function send({ key, request }: Intent) {
    const message = fromBinary(CreatePaymentRequestSchema, request);
    return payments.createPayment(message, { ...PATIENTLY, headers: { [KEY_METADATA]: key } });
  }

  return {
    /** May be called again for an order: by another process, after a crash, a week later. */
    charge(orderId: string, payment: MessageInitShape<typeof CreatePaymentRequestSchema>) {
      const message = create(CreatePaymentRequestSchema, payment);
      const request = toBinary(CreatePaymentRequestSchema, message);
      // Saved first, sent then: a process that is killed in between knows what to send.
      return intents.perform({ name: `order/${orderId}/charge`, request, send });
    },

    /** At the start of the process: sends again whatever has no definite answer yet. */
    async resume(onError: (name: string, error: unknown) => void) {
      for (const { name, request } of await intents.unfinished()) {
        await intents.perform({ name, request, send }).catch((error) => onError(name, error));
      }
    },
  };
}
