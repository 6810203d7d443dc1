import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import {
  PaymentEventSchema,
  PaymentSchema,
  PaymentStatus,
} from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  signedHeaders,
  webhookBody,
  webhookMessage,
} from "../../../../src/payments/webhooks/message.js";

const [older, newer] = [1, 2].map(
  (byte) => `whsec_${Buffer.alloc(24, byte).toString("base64")}`,
) as [string, string];

const payment = create(PaymentSchema, {
  id: "pay_1",
  status: PaymentStatus.PARTIALLY_CAPTURED,
  amount: { currencyCode: "EUR", minorUnits: 1_000n },
  version: 3n,
});
const createTime = new Date("2026-11-01T09:30:00.250Z");
const message = webhookMessage({ id: 17n, payment: toBinary(PaymentSchema, payment), createTime });

describe("a webhook", () => {
  it("has the event as its data, with type and timestamp as Standard Webhooks has them", () => {
    const { type, timestamp, data } = JSON.parse(webhookBody(message));
    expect({ type, timestamp }).toEqual({
      type: "payment.partially_captured",
      timestamp: createTime.toISOString(),
    });
    expect(data.id).toBe(message.id);
    expect(fromJson(PaymentEventSchema, data).payment).toEqual(payment);
  });

  it("tells that the customer has to act, and not the secret with which to", () => {
    const waiting = create(PaymentSchema, {
      id: "pay_1",
      status: PaymentStatus.REQUIRES_ACTION,
      nextAction: { action: { case: "clientSecret", value: "pi_1_secret_MARKED" } },
    });
    const stored = { id: 18n, payment: toBinary(PaymentSchema, waiting), createTime };
    const body = webhookBody(webhookMessage(stored));
    expect(body).toContain("payment.requires_action");
    expect(body).not.toContain("MARKED");
  });

  it("has an id without a full stop, which the signature counts on", () => {
    expect(message.id).toMatch(/^17-[0-9a-f]{16}$/);
  });

  it("is signed with each secret, and verified with either", () => {
    const body = webhookBody(message);
    const sign = { id: message.id, body, now: new Date() };
    const headers = signedHeaders({ secrets: [newer, older] }, sign);
    expect(headers["webhook-signature"]?.split(" ")).toHaveLength(2);
    for (const secret of [newer, older]) {
      expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    }
    const onlyNewer = signedHeaders({ secrets: [newer] }, sign);
    expect(() => new Webhook(older).verify(body, onlyNewer)).toThrow();
    expect(() => new Webhook(newer).verify(`${body} `, headers)).toThrow();
  });

  it("keeps its id, and not its time, in each attempt", () => {
    const body = webhookBody(message);
    const at = (now: Date) => signedHeaders({ secrets: [newer] }, { id: message.id, body, now });
    const first = at(new Date(1_000));
    const second = at(new Date(5_000));
    expect(second["webhook-id"]).toBe(first["webhook-id"]);
    expect([first, second].map((headers) => headers["webhook-timestamp"])).toEqual(["1", "5"]);
  });
});
