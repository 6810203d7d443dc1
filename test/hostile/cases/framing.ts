import type { OutgoingHttpHeaders } from "node:http2";
import { deflateSync, gzipSync } from "node:zlib";
import { framed, type RawCall } from "../../support/calls/hostile-grpc.js";
import type { Random } from "../../support/random.js";
import type { Attempt } from "../attempt.js";
import { type Kind, scopeOf } from "../kind.js";
import { anyBytes, anyPayment, bytesOf } from "../payment.js";
import { sendGrpc, sendHttp } from "../send.js";

// How gRPC frames a message, and what it says of the call beside it.

interface Drawn extends Pick<Attempt, "truth" | "reasons" | "minorUnits" | "isBelowUs">, RawCall {}

export function grpcKind(
  name: string,
  weight: number,
  draw: (random: Random, key: string) => Drawn,
): Kind {
  return {
    name: `gRPC: ${name}`,
    weight,
    async attack({ target, random, key }) {
      const { headers, body = framed(bytesOf(anyPayment(random))), ...truth } = draw(random, key);
      const reply = await sendGrpc(target, {
        headers: { "idempotency-key": key, ...headers },
        body,
      });
      return { reply, scope: scopeOf(key), ...truth };
    },
  };
}

const INVALID = ["REQUEST_INVALID"];
const refused = (call: RawCall): Drawn => ({ ...call, truth: "refused", reasons: INVALID });
const accepted = (call: RawCall): Drawn => ({ ...call, truth: "accepted" });
const header = (headers: OutgoingHttpHeaders): RawCall => ({ headers });

const message = (random: Random) => bytesOf(anyPayment(random));

/** What a bomb holds once it is inflated. Bytes. */
const BOMB_BYTES = [512 * 1024, 1024 * 1024, 8 * 1024 * 1024];
const bombs = BOMB_BYTES.map((length) => gzipSync(Buffer.alloc(length)));

const TIMEOUTS = [
  "20",
  "20 S",
  "123456789S",
  "S",
  "-1S",
  "1.5S",
  "1s",
  "1D",
  "0x1S",
  "1SS",
  "NaNS",
];

const PATHS = [
  "/",
  "/payonce.payments.v1.PaymentService",
  "/payonce.payments.v1.PaymentService/",
  "/payonce.payments.v1.PaymentService/createPayment",
  "//payonce.payments.v1.PaymentService/CreatePayment",
  "/payonce.payments.v1.PaymentService//CreatePayment",
  "/payonce.payments.v1.PaymentService/CreatePayment/",
  "/payonce.payments.v1.PaymentService/CreatePayment?x=1",
  "/payonce.payments.v1.PaymentService/CreatePayment#x",
  "/payonce.payments.v1.PaymentService/%43reatePayment",
  "/x/../payonce.payments.v1.PaymentService/CreatePayment",
  "/../../../../etc/passwd",
  "/payonce.sandbox.v1.SandboxProcessorService/SetFaults",
  "/constructor/__proto__",
  `/${"x".repeat(8_000)}`,
  "*",
  "payonce.payments.v1.PaymentService/CreatePayment",
];

const CONTENT_TYPES = [
  "application/grpc",
  "application/grpc+json",
  "application/grpc+thrift",
  "application/grpc;charset=utf-8",
  "application/grpc-web",
  "application/json",
  "text/html",
  "APPLICATION/GRPC",
  "",
];

export const framingKinds: readonly Kind[] = [
  grpcKind("flags", 15, (random) => {
    const flag = random.integer(0, 255);
    const call = { body: framed(message(random), flag) };
    return flag === 0 ? accepted(call) : refused(call);
  }),
  grpcKind("compressed", 5, (random) => {
    const [encoding, compress] = random.pick([
      ["gzip", gzipSync],
      ["deflate", deflateSync],
    ] as const);
    return accepted({
      headers: { "grpc-encoding": encoding },
      body: framed(compress(message(random)), 1),
    });
  }),
  grpcKind("garbage for gzip", 10, (random) => {
    const zipped = gzipSync(message(random));
    const body = random.pick([
      () => anyBytes(random, random.integer(0, 100)),
      () => zipped.subarray(0, random.integer(0, zipped.length - 9)),
      () => Buffer.concat([zipped.subarray(0, 10), anyBytes(random, 40)]),
    ])();
    return refused({ headers: { "grpc-encoding": "gzip" }, body: framed(body, 1) });
  }),
  grpcKind("encodings that nobody knows", 5, (random) =>
    refused({
      headers: { "grpc-encoding": random.pick(["br", "zstd", "snappy", "x", "gzip,gzip", "GZIP"]) },
      body: framed(message(random), 1),
    }),
  ),
  grpcKind("bombs", 1, (random) =>
    refused({ headers: { "grpc-encoding": "gzip" }, body: framed(random.pick(bombs), 1) }),
  ),
  grpcKind("lengths that are not true", 10, (random) => {
    const body = framed(message(random));
    const length = random.pick([0, 1, body.length - 6, body.length, 2 ** 16, 2 ** 31, 2 ** 32 - 1]);
    body.writeUInt32BE(length, 1);
    return refused({ body });
  }),
  grpcKind("no message", 3, () => refused({ body: Buffer.alloc(0) })),
  grpcKind("a part of a prefix", 3, (random) =>
    refused({ body: anyBytes(random, random.integer(1, 4)) }),
  ),
  grpcKind("more than one message", 5, (random) => {
    const body = framed(message(random));
    return refused({ body: Buffer.concat(Array(random.integer(2, 20)).fill(body)) });
  }),
  grpcKind("more after the message", 5, (random) =>
    refused({
      body: Buffer.concat([framed(message(random)), anyBytes(random, random.integer(1, 30))]),
    }),
  ),
  grpcKind("in single bytes", 3, (random) => {
    const body = framed(message(random));
    return accepted({ body: [...body].map((byte) => Buffer.from([byte])) });
  }),
  grpcKind("timeouts in another form", 10, (random) =>
    refused(header({ "grpc-timeout": random.pick(TIMEOUTS) })),
  ),
  grpcKind("timeouts", 5, (random) => ({
    ...header({
      "grpc-timeout": random.pick(["0S", "0n", "1n", "1u", "1m", "20m", "20S", "99999999H"]),
    }),
    truth: "either",
  })),
  grpcKind("no te", 2, () => refused(header({ te: undefined }))),
  grpcKind("another method", 5, (random) =>
    refused(header({ ":method": random.pick(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "X"]) })),
  ),
  grpcKind("content types", 5, (random) => ({
    ...header({ "content-type": random.pick(CONTENT_TYPES) }),
    truth: "either",
    isBelowUs: true,
  })),
  {
    name: "gRPC: odd paths",
    weight: 5,
    async attack({ target, random, key }) {
      const path = random.pick(PATHS);
      const headers = { ":path": path, "idempotency-key": key };
      // What is no path at all may cost its connection.
      const session = path.startsWith("/") ? await target.session() : await target.ownSession();
      const reply = await sendGrpc(target, { session, headers });
      return { reply, truth: "refused", isBelowUs: true, scope: scopeOf(key) };
    },
  },
  {
    name: "HTTP: odd paths",
    weight: 5,
    async attack({ target, random, key }) {
      const path = random.pick(PATHS.filter((each) => each.startsWith("/")));
      const payment = anyPayment(random);
      const reply = await sendHttp(target, {
        protocol: "Connect",
        path,
        method: random.pick(["POST", "GET", "PUT", "OPTIONS", "TRACE"]),
        headers: { "idempotency-key": key },
        body: bytesOf(payment),
      });
      // A query is none of the path's.
      const truth = path.endsWith("?x=1") ? "either" : "refused";
      return { reply, truth, isBelowUs: true, scope: scopeOf(key) };
    },
  },
];
