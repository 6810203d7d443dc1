import { migrationsIn } from "../../runtime/migrations.js";

/** The tables of payments. */
export const paymentMigrations = migrationsIn(
  "payments",
  new URL("./migrations/", import.meta.url),
  [
    "0001-payments",
    "0002-events-in-the-order-of-their-ids",
    "0003-the-request-of-an-operation",
    "0004-indexes-of-lists",
    "0005-ids-of-refunds",
    "0006-ids-of-older-refunds",
    "0007-what-the-processor-says",
    "0008-actions-and-expiry",
    "0009-what-to-look-at",
    "0010-webhooks",
  ],
);
