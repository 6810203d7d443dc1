import type { PaymentStatus } from "../../gen/payonce/payments/v1/payments_pb.js";
import { digest } from "../../idempotency/request/digest.js";

/** Where a tenant's events are sent. */
export interface WebhookEndpoint {
  readonly tenant: string;
  readonly id: string;
  readonly url: URL;
  /** The newest first. More than one while receivers change to another: each signs. */
  readonly secrets: readonly string[];
  /** The states of a payment that are told; absent: all. */
  readonly statuses?: ReadonlySet<PaymentStatus>;
}

const ID_DIGITS = 16;

/** Derives the id of an endpoint: the same wherever it is configured, and without what its URL may keep secret. */
export function endpointIdOf(tenant: string, url: URL): string {
  const hash = Buffer.from(digest("webhook endpoint", tenant, url.href));
  return `we_${hash.toString("hex").slice(0, ID_DIGITS)}`;
}
