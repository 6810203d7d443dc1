import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  type CreatePaymentRequestSchema,
  type PaymentService,
  PaymentStatus,
} from "../../../clients/typescript/src/browser.js";

/** The browser's `sessionStorage`. */
interface Storage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

export function createCheckout(options: {
  readonly payments: Client<typeof PaymentService>;
  readonly storage: Storage;
  readonly cartId: string;
}) {
  const { payments, storage, cartId } = options;
  const name = `payment-key/${cartId}`;

  /** The key belongs to the cart, not to the click: it survives clicks, reloads and the back button. */
  function currentKey(): string {
    const key = storage.getItem(name) ?? crypto.randomUUID();
    storage.setItem(name, key);
    return key;
  }

  return {
    /** For the button. A second click while the first is under way is a duplicate. */
    async pay(payment: MessageInitShape<typeof CreatePaymentRequestSchema>) {
      const idempotencyKey = currentKey();
      const answer = await payments.createPayment({ ...payment, idempotencyKey });
      const isDeclined = answer.payment?.status === PaymentStatus.DECLINED;
      if (isDeclined && storage.getItem(name) === idempotencyKey) {
        storage.removeItem(name); // another card is another intent
      }
      return answer;
    },
  };
}
