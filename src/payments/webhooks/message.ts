import { create, toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Webhook } from "standardwebhooks";
import {
  type PaymentEvent,
  PaymentEventSchema,
  PaymentStatus,
} from "../../gen/payonce/payments/v1/payments_pb.js";
import { eventMessage } from "../events.js";
import type { StoredEvent } from "../postgres/events.js";
import type { WebhookEndpoint } from "./endpoint.js";

/** What an endpoint is told of one event. */
export interface WebhookMessage {
  /** The same however often it is sent. */
  readonly id: string;
  readonly event: PaymentEvent;
  /** The payment's state right after the transition. */
  readonly status: PaymentStatus;
}

export function webhookMessage(stored: StoredEvent): WebhookMessage {
  const event = create(PaymentEventSchema, eventMessage(stored));
  const { nextAction } = event.payment ?? {};
  if (nextAction?.action.case === "clientSecret") {
    // For the customer's own side, and no inbox: whoever created the payment has it.
    nextAction.action = { case: undefined };
  }
  return { id: event.id, event, status: event.payment?.status ?? PaymentStatus.UNSPECIFIED };
}

/** The body of a request: `type`, `timestamp` and `data` as Standard Webhooks has them, `data` the event. */
export function webhookBody({ event, status }: WebhookMessage): string {
  const { createTime } = event;
  const type = `payment.${(PaymentStatus[status] ?? String(status)).toLowerCase()}`;
  return JSON.stringify({
    type,
    ...(createTime === undefined ? {} : { timestamp: timestampDate(createTime).toISOString() }),
    data: toJson(PaymentEventSchema, event),
  });
}

/** The headers of one attempt, which sign its body: one signature for each secret. */
export function signedHeaders(
  { secrets }: Pick<WebhookEndpoint, "secrets">,
  { id, body, now }: { readonly id: string; readonly body: string; readonly now: Date },
): Readonly<Record<string, string>> {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(id, now, body));
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": signatures.join(" "),
  };
}
