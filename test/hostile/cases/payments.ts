import { createRegistry, equals, fromBinary } from "@bufbuild/protobuf";
import {
  CaptureMethod,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { checkRequest } from "../../../src/idempotency/request/request-limits.js";
import { framed } from "../../support/calls/hostile-grpc.js";
import type { Random } from "../../support/random.js";
import { type Attempt, isOk, type Reply } from "../attempt.js";
import { call } from "../call.js";
import { type Context, type Kind, scopeOf } from "../kind.js";
import { anyAmount, anyPayment, bytesOf, jsonOf, withFlips } from "../payment.js";
import { sendGrpc, sendHttp } from "../send.js";
import { OTHER_CALLER_TOKEN } from "../settings.js";

// Calls that every protocol takes, and whose meaning is the attack.

const { createPayment, capturePayment, refundPayment, cancelPayment, getPayment } =
  PaymentService.method;

const CARDS = [
  "4111111111111111",
  "4111 1111 1111 1111",
  "4111-1111-1111-1111",
  "5500.0000.0000.0004",
  "378282246310005",
  "３７８２８２２４６３１０００５",
  "order 4111111111111111 paid",
];

const AMOUNTS: readonly (readonly [bigint, Attempt["truth"]])[] = [
  [1n, "accepted"],
  [10n ** 15n, "accepted"],
  [10n ** 15n + 1n, "refused"],
  [0n, "refused"],
  [-1n, "refused"],
  [2n ** 63n - 1n, "refused"],
  [-(2n ** 63n), "refused"],
  [2n ** 53n + 1n, "refused"],
];

const CURRENCIES = [
  "",
  "eur",
  "EU",
  "EURO",
  "XXX",
  "XTS",
  "DEM",
  "EUR ",
  "EUR\0",
  "ЕUR",
  "€",
  "__proto__",
];

async function create({ target, key }: Context, request: CreatePaymentRequest): Promise<Reply> {
  return (await call(target, createPayment, request, { key })).reply;
}

/** A kind whose every case asks for a payment with one thing wrong. */
function termsKind(
  name: string,
  weight: number,
  draw: (random: Random) => readonly [CreatePaymentRequest, Pick<Attempt, "truth" | "reasons">],
): Kind {
  return {
    name: `payments: ${name}`,
    weight,
    async attack(context) {
      const [request, truth] = draw(context.random);
      const minorUnits = request.amount?.minorUnits ?? 0n;
      const reply = await create(context, request);
      return { reply, scope: scopeOf(context.key), minorUnits, ...truth };
    },
  };
}

/** Whether two requests are one and the same, where both can be read. */
function areAlike(one: CreatePaymentRequest, bytes: Uint8Array): boolean | undefined {
  try {
    checkRequest(CreatePaymentRequestSchema, bytes); // the decoder alone reads more than is accepted
    const other = fromBinary(CreatePaymentRequestSchema, bytes);
    return equals(CreatePaymentRequestSchema, one, other, {
      registry: createRegistry(),
      unknown: true,
    });
  } catch {
    return undefined;
  }
}

export const paymentKinds: readonly Kind[] = [
  {
    name: "payments: the same key for other bytes",
    weight: 10,
    async attack({ target, random, key }) {
      const request = anyPayment(random);
      const send = (bytes: Uint8Array) =>
        sendGrpc(target, { headers: { "idempotency-key": key }, body: framed(bytes) });
      const first = await send(bytesOf(request));
      const bytes = random.chance(0.2) ? bytesOf(request) : withFlips(random, bytesOf(request));
      const isAlike = areAlike(request, bytes);
      const second = await send(bytes);
      const isOther = isOk(second) && !second.message.equals(first.message);
      const scope = scopeOf(key);
      return [
        { reply: first, truth: "accepted", scope },
        {
          reply: second,
          truth:
            isAlike === undefined || !isOk(first) ? "either" : isAlike ? "accepted" : "refused",
          reasons: [
            "IDEMPOTENCY_KEY_REUSED",
            "IDEMPOTENCY_KEY_CONFLICT",
            "REQUEST_INVALID",
            "IDEMPOTENCY_KEY_INVALID",
          ],
          scope,
          problem: isOther && isOk(first) ? "has two answers" : undefined,
        },
      ];
    },
  },
  {
    name: "payments: the same call at once, over each protocol",
    weight: 3,
    async attack({ target, random, key }) {
      const request = anyPayment(random);
      const headers = { "idempotency-key": key };
      const send = [
        () => sendGrpc(target, { headers, body: framed(bytesOf(request)) }),
        () => sendHttp(target, { protocol: "Connect", headers, body: bytesOf(request) }),
        () => sendHttp(target, { protocol: "Connect with JSON", headers, body: jsonOf(request) }),
        () => sendHttp(target, { protocol: "gRPC-Web", headers, body: framed(bytesOf(request)) }),
      ];
      const replies = await Promise.all(
        Array.from({ length: random.integer(2, 8) }, () => random.pick(send)()),
      );
      const ids = new Set(replies.flatMap(({ payment }) => payment?.id ?? []));
      return replies.map((reply) => ({
        reply,
        truth: "accepted",
        scope: scopeOf(key),
        minorUnits: request.amount?.minorUnits ?? 0n,
        problem: ids.size > 1 ? `made ${ids.size} payments` : undefined,
      }));
    },
  },
  termsKind("amounts at their bounds", 10, (random) => {
    const [minorUnits, truth] = random.pick(AMOUNTS);
    return [
      anyPayment(random, { amount: { currencyCode: "EUR", minorUnits } }),
      { truth, reasons: ["AMOUNT_INVALID"] },
    ];
  }),
  termsKind("currencies that are none", 5, (random) => [
    anyPayment(random, {
      amount: { currencyCode: random.pick(CURRENCIES), minorUnits: anyAmount(random) },
    }),
    { truth: "refused", reasons: ["CURRENCY_UNKNOWN"] },
  ]),
  termsKind("card numbers", 10, (random) => {
    const card = random.pick(CARDS);
    const terms = random.pick([
      { paymentMethod: card },
      { merchantReference: card },
      { description: `paid with ${card}` },
      { metadata: { card } },
      { metadata: { [card]: "card" } },
    ]);
    return [anyPayment(random, terms), { truth: "refused", reasons: ["FIELD_INVALID"] }];
  }),
  termsKind("texts that are too long, too short, or hold U+0000", 10, (random) => {
    const terms = random.pick([
      { paymentMethod: "" },
      { paymentMethod: "x".repeat(256) },
      { merchantReference: "あ".repeat(256) },
      { description: "x".repeat(1_001) },
      { description: "a\0b" },
      { merchantReference: "\0" },
      { metadata: { "a\0": "1" } },
      { metadata: { ["x".repeat(41)]: "1" } },
      { metadata: { a: "x".repeat(501) } },
    ]);
    return [anyPayment(random, terms), { truth: "refused", reasons: ["FIELD_INVALID"] }];
  }),
  {
    name: "payments: capture, cancel and refund at once",
    weight: 3,
    async attack({ target, random, key }) {
      const minorUnits = anyAmount(random);
      const amount = { currencyCode: "EUR", minorUnits };
      const request = anyPayment(random, {
        amount,
        paymentMethod: "tok_visa",
        captureMethod: CaptureMethod.MANUAL,
      });
      const reply = await create({ target, random, key }, request);
      const paymentId = reply.payment?.id ?? "pay_none";
      const changes = Array.from({ length: random.integer(2, 6) }, (_, at) => {
        const options = { key: `${key}-${at}` };
        return random.pick([
          () => call(target, capturePayment, { paymentId, amount }, options),
          () => call(target, capturePayment, { paymentId }, options),
          () => call(target, refundPayment, { paymentId }, options),
          () => call(target, cancelPayment, { paymentId }, options),
        ])();
      });
      const changed = await Promise.all(changes);
      return [
        { reply, truth: "accepted", scope: scopeOf(key), minorUnits },
        ...changed.map((each): Attempt => ({ reply: each.reply, truth: "either" })),
      ];
    },
  },
  {
    name: "payments: those of another tenant",
    weight: 5,
    async attack({ target, random, key }) {
      const token = OTHER_CALLER_TOKEN;
      const made = await call(target, createPayment, anyPayment(random), { key, token });
      const paymentId = made.response?.payment?.id ?? "pay_none";
      const { reply } = await random.pick([
        () => call(target, getPayment, { lookup: { case: "paymentId", value: paymentId } }),
        () => call(target, getPayment, { lookup: { case: "idempotencyKey", value: key } }),
        () => call(target, capturePayment, { paymentId }, { key }),
        () => call(target, refundPayment, { paymentId }, { key }),
        () => call(target, cancelPayment, { paymentId }, { key }),
      ])();
      return [
        { reply: made.reply, truth: "accepted" },
        { reply, truth: "refused", reasons: ["PAYMENT_NOT_FOUND"] },
      ];
    },
  },
];
