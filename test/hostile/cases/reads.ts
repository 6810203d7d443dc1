import { InspectionService } from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { Random } from "../../support/random.js";
import { call } from "../call.js";
import type { Kind } from "../kind.js";
import { anyBytes, anyPayment, withFlips } from "../payment.js";
import { sendHttp } from "../send.js";
import {
  CALLER_TOKEN,
  OPERATOR_TOKEN,
  OTHER_CALLER_TOKEN,
  OTHER_TENANT,
  TENANT,
} from "../settings.js";

// What callers and operators may read, and of whom.

const { createPayment, listPayments, listRefunds, listLedgerEntries, getPayment } =
  PaymentService.method;
const { getRecord, listRecords, resolveKey, listOperatorActs } = InspectionService.method;

const CREATE_OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

const ODD_TEXTS = [
  "\0",
  "a\0b",
  "x".repeat(2_000),
  "'; DROP TABLE payments; --",
  "%",
  "../..",
  "\u202e",
];
const TENANTS = [
  OTHER_TENANT,
  "default",
  "nobody",
  "ACME",
  " acme",
  "acme ",
  "acme\0",
  "*",
  "__proto__",
];

/** What a query may say of a message, and none may be read from. */
const QUERIES: readonly ((random: Random) => string)[] = [
  () => "",
  () => "connect=v1&encoding=json",
  () => "connect=v1&encoding=json&message=",
  () => "connect=v1&encoding=json&message={",
  () => "connect=v1&encoding=json&message=%7B%22pageSize%22%3A%220x10%22%7D",
  () => "connect=v1&encoding=json&message=%7B%22pageSizes%22%3A1%7D",
  () => "connect=v1&encoding=json&message=%FF%FE",
  () => "connect=v1&encoding=json&base64=1&message=!!!",
  () => "connect=v1&encoding=xml&message=x",
  () => "connect=v2&encoding=proto&message=x",
  () => "connect=v1&encoding=proto&compression=zstd&base64=1&message=AA",
  () => "connect=v1&encoding=proto&compression=gzip&base64=1&message=AA",
  () => `connect=v1&encoding=json&message=${"[".repeat(6_000)}`,
  (random) =>
    `connect=v1&encoding=proto&base64=1&message=${anyBytes(random, random.integer(1, 40)).toString("base64url")}`,
];

export const readKinds: readonly Kind[] = [
  {
    name: "reads: queries of GET that are no message",
    weight: 5,
    async attack({ target, random }) {
      const reply = await sendHttp(target, {
        protocol: "Connect",
        method: "GET",
        path: `/payonce.payments.v1.PaymentService/ListPayments?${random.pick(QUERIES)(random)}`,
        headers: { "content-type": undefined, "content-length": undefined },
        body: "",
      });
      return { reply, truth: "either" };
    },
  },
  {
    name: "reads: tokens of pages that are none",
    weight: 5,
    async attack({ target, random }) {
      const pageToken = random.pick([
        () => anyBytes(random, random.integer(1, 60)).toString("base64url"),
        () => Buffer.from(`${random.integer(0, 99)} ${"0".repeat(16)}`).toString("base64url"),
        () => Buffer.from("-1 x").toString("base64url"),
        () => "x".repeat(20_000),
        () => random.pick(ODD_TEXTS),
      ])();
      const { reply } = await random.pick([
        () => call(target, listPayments, { pageToken }),
        () => call(target, listRefunds, { pageToken }),
        () => call(target, listLedgerEntries, { pageToken }),
      ])();
      return { reply, truth: "refused", reasons: ["FIELD_INVALID"] };
    },
  },
  {
    name: "reads: tokens of pages that were another tenant's, or are changed",
    weight: 3,
    async attack({ target, random, key }) {
      const token = OTHER_CALLER_TOKEN;
      const merchantReference = `of-${OTHER_TENANT}`;
      const pay = (each: string) =>
        call(target, createPayment, anyPayment(random, { merchantReference }), {
          key: each,
          token,
        });
      await Promise.all([pay(key), pay(`${key}-2`)]);
      const first = await call(target, listPayments, { pageSize: 1 }, { token });
      const given = first.response?.nextPageToken ?? "";
      const pageToken = random.chance(0.5)
        ? given
        : withFlips(random, Buffer.from(given, "base64url")).toString("base64url");
      const second = await call(target, listPayments, { pageSize: 3, pageToken });
      const isSeen = second.response?.payments.some(
        (payment) => payment.merchantReference === merchantReference,
      );
      const problem = isSeen ? "shows payments of another tenant" : undefined;
      return [
        { reply: first.reply, truth: "accepted" },
        { reply: second.reply, truth: "either", problem },
      ];
    },
  },
  {
    name: "reads: sizes of pages, statuses and ids that are none",
    weight: 5,
    async attack({ target, random }) {
      const { reply } = await random.pick([
        () => call(target, listPayments, { pageSize: random.pick([-1, 1_001, 2 ** 31 - 1]) }),
        () => call(target, listPayments, { status: random.pick([99, -1]) }),
        () =>
          call(target, listPayments, { merchantReference: random.pick(["\0", "x".repeat(256)]) }),
        () => call(target, getPayment, {}),
        () =>
          call(target, getPayment, {
            lookup: { case: "paymentId", value: random.pick(ODD_TEXTS) },
          }),
      ])();
      return { reply, truth: "refused", reasons: ["FIELD_INVALID", "PAYMENT_NOT_FOUND"] };
    },
  },
  {
    name: "operators: odd texts",
    weight: 5,
    async attack({ target, random }) {
      const odd = random.pick(ODD_TEXTS);
      const token = { token: OPERATOR_TOKEN };
      const name = { operation: CREATE_OPERATION, idempotencyKey: odd };
      const { reply } = await random.pick([
        () => call(target, getRecord, { name }, token),
        () => call(target, getRecord, { name: { operation: odd, idempotencyKey: "k" } }, token),
        () => call(target, listRecords, { operation: odd }, token),
        () => call(target, listRecords, { pageToken: odd }, token),
        () => call(target, listRecords, { state: random.pick([99, -1]) }, token),
        () => call(target, listOperatorActs, { pageToken: odd }, token),
        () =>
          call(
            target,
            resolveKey,
            { name, reason: odd, resolution: { case: "notExecuted", value: {} } },
            token,
          ),
      ])();
      return { reply, truth: "either" };
    },
  },
  {
    name: "operators: tenants of others",
    weight: 5,
    async attack({ target, random, key }) {
      const tenant = random.pick(TENANTS);
      const token = { token: OPERATOR_TOKEN };
      const name = { tenant, operation: CREATE_OPERATION, idempotencyKey: key };
      const { reply } = await random.pick([
        () => call(target, getRecord, { name }, token),
        () => call(target, listRecords, { tenant }, token),
        () => call(target, listOperatorActs, { tenant }, token),
        () =>
          call(
            target,
            resolveKey,
            { name, reason: "mine", resolution: { case: "notExecuted", value: {} } },
            token,
          ),
      ])();
      return { reply, truth: "refused", reasons: ["OPERATOR_REQUIRED", "FIELD_INVALID"] };
    },
  },
  {
    name: "operators: callers who are none",
    weight: 3,
    async attack({ target, random, key }) {
      const token = { token: random.pick([CALLER_TOKEN, OTHER_CALLER_TOKEN]) };
      const name = { tenant: TENANT, operation: CREATE_OPERATION, idempotencyKey: key };
      const { reply } = await random.pick([
        () => call(target, getRecord, { name }, token),
        () => call(target, listRecords, {}, token),
        () => call(target, listOperatorActs, {}, token),
        () =>
          call(
            target,
            resolveKey,
            { name, reason: "mine", resolution: { case: "notExecuted", value: {} } },
            token,
          ),
      ])();
      return { reply, truth: "refused", reasons: ["OPERATOR_REQUIRED"] };
    },
  },
];
