import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { CREATE_PAYMENT, framed } from "../../support/calls/hostile-grpc.js";
import type { Random } from "../../support/random.js";
import type { Attempt } from "../attempt.js";
import { type Kind, scopeOf } from "../kind.js";
import { anyBytes, anyPayment, bytesOf } from "../payment.js";
import { NOTHING } from "../send.js";
import { CALLER_TOKEN } from "../settings.js";
import { closeAfter, openTcp } from "../tcp.js";

// What HTTP/2 lets a peer do to streams and connections, whatever it asks for.

const LIST_PAYMENTS = "/payonce.payments.v1.PaymentService/ListPayments";

/** Of pings, settings, resets and streams in one case: enough to see what one costs. */
const MOST = 200;

/** How long an attacker stays who would wait for ever. Milliseconds. */
const STAY_MS = 150;

/** Only that the service goes on, and what it may have charged: nobody waits for an answer. */
function unheard(key?: string): Attempt {
  const scope = key === undefined ? {} : { scope: scopeOf(key) };
  return {
    reply: { ...NOTHING, status: "not awaited" },
    truth: "either",
    isBelowUs: true,
    ...scope,
  };
}

function begin(session: ClientHttp2Session, key: string, path = CREATE_PAYMENT): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    te: "trailers",
    "content-type": "application/grpc+proto",
    authorization: `Bearer ${CALLER_TOKEN}`,
    "idempotency-key": key,
  });
  stream.on("error", () => {}); // a reset
  stream.resume();
  return stream;
}

/** A frame of HTTP/2 (RFC 9113, section 4.1). */
function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(4, 0, 0, Buffer.alloc(0)),
]);

const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];

function times(count: number, piece: (at: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => piece(at)));
}

/** Frames that break a rule, or keep to it far too often. */
const FLOODS: readonly ((random: Random) => Buffer)[] = [
  () => times(MOST, () => frame(PING, 0, 0, Buffer.alloc(8))),
  () => times(MOST, () => frame(SETTINGS, 0, 0, Buffer.alloc(0))),
  () => times(MOST, () => frame(SETTINGS, 0, 0, Buffer.from("000400000000", "hex"))),
  () => times(MOST, (at) => frame(PRIORITY, 0, 2 * at + 1, Buffer.from("0000000010", "hex"))),
  () => times(MOST, (at) => frame(RST_STREAM, 0, 2 * at + 1, Buffer.from("00000008", "hex"))),
  () => times(MOST, () => frame(DATA, 0, 0, Buffer.from("x"))),
  () => times(MOST, () => frame(WINDOW, 0, 0, Buffer.from("7fffffff", "hex"))),
  () => frame(WINDOW, 0, 0, Buffer.alloc(4)),
  () => frame(SETTINGS, 1, 0, Buffer.alloc(6)),
  () => frame(SETTINGS, 0, 0, Buffer.from("0004ffffffff", "hex")),
  () => frame(GOAWAY, 0, 0, Buffer.alloc(8)),
  () => frame(PUSH, 4, 1, Buffer.from("0000000282", "hex")),
  () => frame(HEADERS, 5, 2, Buffer.from("82", "hex")),
  () => frame(HEADERS, 4, 1, Buffer.from("ffffffffffffffff", "hex")),
  // A block of headers that goes on and on, of one name a thousand times.
  () =>
    Buffer.concat([
      frame(HEADERS, 0, 1, Buffer.from("8286", "hex")),
      times(32, () => frame(CONTINUATION, 0, 1, Buffer.alloc(8_192, 0x82))),
    ]),
  () => frame(DATA, 0, 1, Buffer.alloc(17_000)),
  (random) =>
    frame(
      random.integer(0, 255),
      random.integer(0, 255),
      random.integer(0, 9),
      anyBytes(random, random.integer(0, 64)),
    ),
  (random) =>
    times(20, () =>
      frame(
        random.integer(0, 9),
        random.integer(0, 255),
        random.integer(0, 9),
        anyBytes(random, random.integer(0, 32)),
      ),
    ),
];

export const streamKinds: readonly Kind[] = [
  {
    name: "HTTP/2: frames that break rules",
    weight: 10,
    async attack({ random, target }) {
      const connection = await openTcp(target.grpcAddress);
      connection.socket.write(Buffer.concat([PREFACE, random.pick(FLOODS)(random)]));
      await closeAfter(connection, STAY_MS);
      return unheard();
    },
  },
  {
    name: "HTTP/2: calls reset at each stage",
    weight: 3,
    async attack({ random, target, key }) {
      const session = await target.ownSession();
      const body = framed(bytesOf(anyPayment(random)));
      const stream = begin(session, key);
      const stages: readonly (() => unknown)[] = [
        () => {},
        () => stream.write(body.subarray(0, random.integer(1, body.length - 1))),
        () => stream.write(body),
        () => stream.end(body),
      ];
      random.pick(stages)();
      await sleep(random.pick([0, 1, 5, 20]));
      stream.close(random.pick([0, 2, 7, 8, 11]));
      await sleep(10);
      session.destroy();
      return unheard(key);
    },
  },
  {
    name: "HTTP/2: many calls reset at once",
    weight: 0.3,
    async attack({ random, target, key }) {
      const session = await target.ownSession();
      const body = framed(bytesOf(anyPayment(random)));
      for (let at = 0; at < MOST; at += 1) {
        const stream = begin(session, `${key}-${at}`);
        stream.end(body);
        stream.close();
      }
      await sleep(STAY_MS);
      session.destroy();
      return Array.from({ length: MOST }, (_, at) => unheard(`${key}-${at}`));
    },
  },
  {
    name: "HTTP/2: calls that are never complete",
    weight: 1,
    async attack({ random, target, key }) {
      const session = await target.ownSession();
      const body = framed(bytesOf(anyPayment(random)));
      for (let at = 0; at < random.integer(1, MOST); at += 1) {
        begin(session, `${key}-${at}`).write(body.subarray(0, random.integer(1, body.length - 1)));
      }
      await sleep(STAY_MS);
      session.destroy();
      return unheard(`${key}-0`);
    },
  },
  {
    name: "HTTP/2: a connection that is cut off while calls are under way",
    weight: 1,
    async attack({ random, target, key }) {
      const session = await target.ownSession();
      const calls = random.integer(1, 20);
      for (let at = 0; at < calls; at += 1) {
        begin(session, `${key}-${at}`).end(framed(bytesOf(anyPayment(random))));
      }
      await sleep(random.integer(0, 20));
      session.destroy();
      return Array.from({ length: calls }, (_, at) => unheard(`${key}-${at}`));
    },
  },
  {
    name: "HTTP/2: answers that nobody reads",
    weight: 1,
    async attack({ random, target, key }) {
      const session = await target.ownSession({ initialWindowSize: 0 });
      for (let at = 0; at < random.integer(1, 30); at += 1) {
        begin(session, key, LIST_PAYMENTS).end(framed(Buffer.from([0x08, 0x14])));
      }
      await sleep(STAY_MS);
      session.destroy();
      return unheard();
    },
  },
];
