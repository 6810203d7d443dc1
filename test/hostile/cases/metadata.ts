import { framed } from "../../support/calls/hostile-grpc.js";
import type { Kind } from "../kind.js";
import { scopeOf } from "../kind.js";
import { anyPayment, bytesOf } from "../payment.js";
import { sendGrpc, sendHttp } from "../send.js";
import { SECRET } from "../settings.js";
import { grpcKind } from "./framing.js";

// What comes beside a message: keys, credentials, and whatever else a header may hold.

const ODD = ["\t", "\u00e9", "\u00ff", "\u0080", " ", "%00", "\\", '"', "a".repeat(3_000)];
const NAMES = ["x-token", "cookie", "x-bin", "grpc-trace-bin", "user-agent", "grpc-foo", "x.y_z-1"];

/** Keys that are none. */
const BROKEN_KEYS = [
  "",
  " ",
  "a b",
  "a\tb",
  "\u00e9",
  Buffer.from("ключ").toString("latin1"),
  '"',
  '"a',
  '"a"b',
  '"a";x=1',
  '"a\\b"',
  "4111-1111-1111-1111",
  "order-4111 1111 1111 1111",
  "4111111111111111",
];
const KEY_REASONS = ["IDEMPOTENCY_KEY_INVALID", "IDEMPOTENCY_KEY_MISSING"];

const CREDENTIALS = [
  "",
  "Bearer",
  "Bearer ",
  `Bearer ${SECRET}`,
  `bearer ${SECRET}`,
  `Basic ${SECRET}`,
  `Bearer  ${SECRET}`,
  `Bearer ${SECRET}, Bearer ${SECRET}`,
  `Bearer ${"x".repeat(7_000)}`,
  `Bearer ${SECRET}\t`,
  `Bearer ${SECRET}\u00e9`,
];

export const metadataKinds: readonly Kind[] = [
  grpcKind("metadata with odd bytes", 15, (random) => ({
    headers: { [random.pick(NAMES)]: `Bearer ${SECRET}${random.pick(ODD)}` },
    truth: "either",
    isBelowUs: true,
  })),
  grpcKind("keys that are none", 15, (random, key) => {
    const broken = random.pick([...BROKEN_KEYS, key.padEnd(256, "k"), "k".repeat(6_000)]);
    return { headers: { "idempotency-key": broken }, truth: "refused", reasons: KEY_REASONS };
  }),
  grpcKind("no key", 3, () => ({
    headers: { "idempotency-key": undefined },
    truth: "refused",
    reasons: ["IDEMPOTENCY_KEY_MISSING"],
  })),
  grpcKind("quoted keys", 5, (_, key) => ({
    headers: { "idempotency-key": `"${key}"` },
    truth: "accepted",
  })),
  grpcKind("keys in both places", 3, (random, key) => ({
    headers: { "idempotency-key": key },
    body: framed(bytesOf(anyPayment(random, { idempotencyKey: key }))),
    truth: "accepted",
  })),
  grpcKind("two keys", 5, (random, key) => {
    const headers = { "idempotency-key": [key, random.pick([key, `${key}-2`])] };
    return { headers, truth: "refused", reasons: ["IDEMPOTENCY_KEY_INVALID"] };
  }),
  grpcKind("keys that disagree", 5, (random, key) => ({
    headers: { "idempotency-key": key },
    body: framed(bytesOf(anyPayment(random, { idempotencyKey: `${key}-2` }))),
    truth: "refused",
    reasons: ["IDEMPOTENCY_KEY_CONFLICT"],
  })),
  grpcKind("credentials of nobody", 10, (random) => ({
    headers: { authorization: random.pick(CREDENTIALS) },
    truth: "refused",
    reasons: ["CALLER_UNAUTHENTICATED"],
  })),
  {
    name: "HTTP: credentials of nobody",
    weight: 5,
    async attack({ target, random, key }) {
      const authorization = random.pick(CREDENTIALS);
      const reply = await sendHttp(target, {
        protocol: random.pick(["Connect", "gRPC-Web"]),
        headers: { "idempotency-key": key, authorization },
        body: bytesOf(anyPayment(random)),
      });
      return {
        reply,
        scope: scopeOf(key),
        truth: "refused",
        reasons: ["CALLER_UNAUTHENTICATED", "REQUEST_INVALID"],
      };
    },
  },
  {
    name: "gRPC: thousands of metadata entries",
    weight: 1,
    async attack({ target, random, key }) {
      const session = await target.ownSession();
      const count = random.pick([50, 100, 200, 2_000]);
      const value = "v".repeat(random.integer(0, 40));
      const many = Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, value]));
      const reply = await sendGrpc(target, {
        session,
        headers: { "idempotency-key": key, ...many },
        body: framed(bytesOf(anyPayment(random))),
      });
      session.destroy();
      return { reply, truth: "either", isBelowUs: true, scope: scopeOf(key) };
    },
  },
  {
    name: "HTTP: thousands of headers",
    weight: 1,
    async attack({ target, random, key }) {
      const count = random.pick([100, 1_900, 4_000]);
      const many = Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, "v"]));
      const reply = await sendHttp(target, {
        protocol: "Connect",
        headers: { ...many, "idempotency-key": key },
        body: bytesOf(anyPayment(random)),
      });
      return { reply, truth: "either", isBelowUs: true, scope: scopeOf(key) };
    },
  },
];
