import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { framed } from "../../support/calls/hostile-grpc.js";
import type { Random } from "../../support/random.js";
import type { Attempt } from "../attempt.js";
import { type Context, type Kind, scopeOf } from "../kind.js";
import { anyBytes, anyPayment, bytesOf, withFlips } from "../payment.js";
import { sendGrpc, sendHttp } from "../send.js";

// Bytes that are a request, nearly one, or none, over each transport that takes bytes.

/** Of a request, in fields of all depths. */
const MAX_FIELDS = 10_000;
const MAX_DEPTH = 100;

const [AMOUNT, PAYMENT_METHOD, CAPTURE_METHOD, REFERENCE, DESCRIPTION, METADATA] = [
  2, 3, 4, 5, 6, 7,
];
const [CURRENCY_CODE, MINOR_UNITS] = [1, 2];
const UNKNOWN = 9_999;

const INVALID = ["REQUEST_INVALID"];

type Truth = Pick<Attempt, "truth" | "reasons" | "minorUnits">;

const accepted: Truth = { truth: "accepted" };
const refused: Truth = { truth: "refused", reasons: INVALID };
const either: Truth = { truth: "either" };

async function send({ target, random, key }: Context, bytes: Buffer, truth: Truth) {
  const headers = { "idempotency-key": key };
  const transport = random.pick(["gRPC", "gRPC", "gRPC", "Connect", "gRPC-Web"] as const);
  const reply =
    transport === "gRPC"
      ? await sendGrpc(target, { headers, body: framed(bytes) })
      : await sendHttp(target, {
          protocol: transport,
          headers,
          body: transport === "gRPC-Web" ? framed(bytes) : bytes,
        });
  return { reply, scope: scopeOf(key), ...truth };
}

/** A kind whose every case sends other bytes. */
function bytesKind(
  name: string,
  weight: number,
  draw: (random: Random) => readonly [Buffer, Truth],
): Kind {
  return {
    name: `protobuf: ${name}`,
    weight,
    attack: (context) => send(context, ...draw(context.random)),
  };
}

const delimited = (number: number, content: Uint8Array) =>
  Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(content).finish());

const correct = (random: Random) => bytesOf(anyPayment(random));

/** A varint in as many bytes as wanted, with zeros that say nothing. */
function longVarint(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length, 0x80);
  let rest = value;
  for (let at = 0; rest > 0; at += 1, rest >>>= 7) {
    bytes[at] = 0x80 | (rest & 0x7f);
  }
  bytes[length - 1] = (bytes[length - 1] ?? 0) & 0x7f;
  return bytes;
}

function groups(random: Random, depth: number): Buffer {
  const writer = new BinaryWriter();
  const number = random.pick([UNKNOWN, AMOUNT, METADATA]);
  for (let level = 0; level < depth; level += 1) {
    writer.tag(number, WireType.StartGroup);
  }
  for (let level = 0; level < depth; level += 1) {
    writer.tag(number, WireType.EndGroup);
  }
  return Buffer.from(writer.finish());
}

export const protobufKinds: readonly Kind[] = [
  bytesKind("correct", 10, (random) => {
    const payment = anyPayment(random);
    return [bytesOf(payment), { truth: "accepted", minorUnits: payment.amount?.minorUnits ?? 0n }];
  }),
  bytesKind("bits flipped", 40, (random) => [withFlips(random, correct(random)), either]),
  bytesKind("cut", 20, (random) => {
    const bytes = correct(random);
    return [bytes.subarray(0, random.integer(0, bytes.length - 1)), either];
  }),
  bytesKind("random bytes", 20, (random) => [anyBytes(random, random.integer(0, 600)), either]),
  bytesKind("spliced", 10, (random) => {
    const [one, other] = [correct(random), correct(random)];
    const at = random.integer(0, one.length);
    const from = random.integer(0, other.length);
    return [Buffer.concat([one.subarray(0, at), other.subarray(from)]), either];
  }),
  bytesKind("every field twice", 5, (random) => {
    const last = anyPayment(random);
    const minorUnits = last.amount?.minorUnits ?? 0n;
    return [Buffer.concat([correct(random), bytesOf(last)]), { truth: "accepted", minorUnits }];
  }),
  bytesKind("some unknown fields", 2, (random) => {
    const field = new BinaryWriter().tag(UNKNOWN, WireType.Varint).uint32(1).finish();
    const count = random.integer(1, MAX_FIELDS / 4);
    return [Buffer.concat([correct(random), ...Array(count).fill(field)]), accepted];
  }),
  bytesKind("too many unknown fields", 2, (random) => {
    const field = random.pick([
      new BinaryWriter().tag(UNKNOWN, WireType.Varint).uint32(1).finish(),
      delimited(UNKNOWN, new Uint8Array()),
      groups(random, 1),
    ]);
    const count = random.integer(MAX_FIELDS + 1, 6 * MAX_FIELDS);
    return [Buffer.concat([correct(random), ...Array(count).fill(field)]), refused];
  }),
  bytesKind("groups in groups", 5, (random) => {
    const depth = random.pick([1, 10, 50, MAX_DEPTH, MAX_DEPTH + 1, 5_000, 60_000]);
    return [
      Buffer.concat([correct(random), groups(random, depth)]),
      depth > MAX_DEPTH ? refused : either,
    ];
  }),
  bytesKind("long varints", 10, (random) => {
    const length = random.integer(2, 14);
    const minorUnits = random.integer(1, 127);
    const amount = Buffer.concat([
      delimited(CURRENCY_CODE, Buffer.from("EUR")),
      Buffer.from([MINOR_UNITS << 3]),
      longVarint(minorUnits, length),
    ]);
    return [
      Buffer.concat([
        delimited(AMOUNT, amount),
        delimited(PAYMENT_METHOD, Buffer.from("tok_visa")),
      ]),
      length <= 10 ? { ...accepted, minorUnits: BigInt(minorUnits) } : refused,
    ];
  }),
  bytesKind("wrong wire types", 10, (random) => {
    const number = random.integer(1, 7);
    const writer = new BinaryWriter();
    const wrong = random.pick([
      () => writer.tag(number, WireType.Varint).uint64(BigInt(random.integer(0, 2 ** 31))),
      () => writer.tag(number, WireType.Bit32).fixed32(random.integer(0, 2 ** 31)),
      () => writer.tag(number, WireType.Bit64).fixed64(BigInt(random.integer(0, 2 ** 31))),
      () => writer.tag(number, WireType.LengthDelimited).bytes(anyBytes(random, 8)),
    ]);
    return [Buffer.concat([correct(random), wrong().finish()]), either];
  }),
  bytesKind("wire types and numbers that do not exist", 5, (random) => {
    const bad = random.pick([[0x0e], [0x0f], [0x02, 0x00], [0x00, 0x00], [0x0c], [0x3f, 0x01]]);
    return [Buffer.concat([correct(random), Buffer.from(bad)]), refused];
  }),
  bytesKind("texts that are not UTF-8", 10, (random) => {
    const broken = random.pick([
      [0xff],
      [0xc3, 0x28],
      [0xed, 0xa0, 0x80],
      [0xc0, 0x80],
      [0xf5, 0x80],
    ]);
    const text = Buffer.from([0x61, ...broken]);
    const number = random.pick([PAYMENT_METHOD, REFERENCE, DESCRIPTION, AMOUNT, METADATA]);
    const content =
      number === AMOUNT || number === METADATA
        ? delimited(number === AMOUNT ? CURRENCY_CODE : random.pick([1, 2]), text)
        : text;
    return [Buffer.concat([correct(random), delimited(number, content)]), refused];
  }),
  bytesKind("lengths past the end", 10, (random) => {
    const length = random.pick([
      [0xff, 0xff, 0xff, 0xff, 0x0f],
      [0xff, 0x01],
      Array(10).fill(0xff),
    ]);
    const number = random.pick([AMOUNT, PAYMENT_METHOD, METADATA, UNKNOWN % 16]);
    const head = Buffer.from([(number << 3) | WireType.LengthDelimited, ...length]);
    return [Buffer.concat([correct(random), head, anyBytes(random, 4)]), refused];
  }),
  bytesKind("one name of metadata many times", 3, (random) => {
    const entry = (value: string) =>
      delimited(
        METADATA,
        Buffer.concat([delimited(1, Buffer.from("shop")), delimited(2, Buffer.from(value))]),
      );
    const count = random.integer(2, 800);
    return [
      Buffer.concat([correct(random), ...Array.from({ length: count }, (_, at) => entry(`${at}`))]),
      accepted,
    ];
  }),
  bytesKind("too many names of metadata", 3, (random) => {
    const count = random.integer(60, 3_000);
    const metadata = Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}`, ""]));
    return [
      bytesOf(anyPayment(random, { metadata })),
      { truth: "refused", reasons: ["FIELD_INVALID", "REQUEST_INVALID"] },
    ];
  }),
  bytesKind("large", 1, (random) => {
    const description = random.pick(["a", "あ", "\u{1f4b6}"]).repeat(random.integer(2_000, 90_000));
    return [
      bytesOf(anyPayment(random, { description })),
      { truth: "refused", reasons: ["FIELD_INVALID", "REQUEST_INVALID"] },
    ];
  }),
  bytesKind("other captures", 3, (random) => {
    const field = new BinaryWriter().tag(CAPTURE_METHOD, WireType.Varint);
    const value = random.pick([3, 99, -1, -(2 ** 31), 2 ** 31 - 1]);
    return [
      Buffer.concat([correct(random), field.int32(value).finish()]),
      { truth: "refused", reasons: ["FIELD_INVALID"] },
    ];
  }),
];
