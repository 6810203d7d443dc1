import { setTimeout as sleep } from "node:timers/promises";
import { CREATE_PAYMENT } from "../../support/calls/hostile-grpc.js";
import type { Random } from "../../support/random.js";
import type { Attempt, Reply } from "../attempt.js";
import { type Context, type Kind, scopeOf } from "../kind.js";
import { anyBytes, anyPayment, jsonOf } from "../payment.js";
import { NOTHING } from "../send.js";
import { CALLER_TOKEN, REQUEST_TIMEOUT_MS, SECRET } from "../settings.js";
import { closeAfter, openTcp } from "../tcp.js";

// Bytes on a connection: those of no protocol, and of HTTP/1.1 that two programs may read as
// different requests (RFC 9112, section 11.2).

/** Node looks for late requests now and then, so a little later than the time they have. */
const CLOSED_LIMIT_MS = 5 * REQUEST_TIMEOUT_MS;

/** How long an attacker stays who would wait for ever. Milliseconds. */
const STAY_MS = 200;

const AUTHORIZATION = `Authorization: Bearer ${CALLER_TOKEN}`;

/** A whole payment over HTTP/1.1, as the second of two requests would have it. */
function hidden(random: Random, key: string): string {
  const body = jsonOf(anyPayment(random));
  return [
    `POST ${CREATE_PAYMENT} HTTP/1.1`,
    "Host: 127.0.0.1",
    AUTHORIZATION,
    "Content-Type: application/json",
    `Idempotency-Key: ${key}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}

function head(...lines: readonly string[]): string {
  const all = [
    `POST ${CREATE_PAYMENT} HTTP/1.1`,
    "Host: 127.0.0.1",
    AUTHORIZATION,
    "Content-Type: application/json",
    ...lines,
  ];
  return `${all.join("\r\n")}\r\n\r\n`;
}

/**
 * Requests whose end can be read in two ways, each with a payment behind the
 * one of them. It must never be made.
 */
const SMUGGLED: readonly ((inner: string) => string)[] = [
  (inner) =>
    `${head(`Content-Length: ${Buffer.byteLength(inner) + 5}`, "Transfer-Encoding: chunked")}0\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n${inner}`,
  (inner) => `${head("Content-Length: 2", "Content-Length: 4")}{}${inner}`,
  (inner) => `${head("Content-Length: 2, 4")}{}${inner}`,
  (inner) => `${head("Content-Length: +2")}{}${inner}`,
  (inner) => `${head("Content-Length: 0x2")}{}${inner}`,
  (inner) => `${head("Content-Length: -1")}${inner}`,
  (inner) => `${head("Content-Length : 2")}{}${inner}`,
  (inner) => `${head("Transfer-Encoding: xchunked")}0\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked, identity")}0\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding:\u000bchunked", "Content-Length: 2")}{}${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked")}0x0\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked")}-1\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked")}fffffffffffffffff\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked")}2\r\n{}0\r\n\r\n${inner}`,
  (inner) => `${head("Transfer-Encoding: chunked")}0;x=\n\r\n\r\n${inner}`,
  (inner) => `${head("X: y\u0000z", "Content-Length: 2")}{}${inner}`,
  (inner) => `${head("X: y\nContent-Length: 0", "Content-Length: 2")}{}${inner}`,
  (inner) => `${head("Bad Name: x", "Content-Length: 2")}{}${inner}`,
];

/** Odd, and yet with one end: answered in whatever way. */
const ODD_REQUESTS: readonly (() => string)[] = [
  () => head("X: a", " folded", "Content-Length: 2", "Connection: close").concat("{}"),
  () => head("Transfer-Encoding: chunked", "Connection: close").concat("2;x=y\r\n{}\r\n0\r\n\r\n"),
  () =>
    head("Transfer-Encoding: chunked", "Connection: close").concat("2\r\n{}\r\n0\r\nX: y\r\n\r\n"),
  () => "GET / HTTP/9.9\r\n\r\n",
  () => "GET /metrics\r\n\r\n",
  () => "GET http://example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  () => "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
  () => "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
  () => `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
  () => `GET /${"y".repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  () => `GET / HTTP/1.1\r\nHost: [\r\n${AUTHORIZATION}${SECRET}\u0001\r\nConnection: close\r\n\r\n`,
  () => head("Expect: 100-continue", "Content-Length: 2", "Connection: close").concat("{}"),
  () => head("Expect: x", "Content-Length: 2", "Connection: close").concat("{}"),
];

function replyOf(received: Buffer): Reply {
  const status = /^HTTP\/1\.1 ([2-5]\d\d)/m.exec(received.toString("latin1"))?.[1];
  return status === undefined ? NOTHING : { ...NOTHING, status: `HTTP ${status}` };
}

/** Sends bytes, and expects that the service closes the connection in its own time. */
async function untilClosed(address: string, bytes: string | Buffer): Promise<Attempt> {
  const connection = await openTcp(address);
  connection.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  const isClosed = await closeAfter(connection, CLOSED_LIMIT_MS);
  return {
    reply: replyOf(connection.received()),
    truth: "either",
    isBelowUs: true,
    problem: isClosed ? undefined : `is still connected after ${CLOSED_LIMIT_MS} ms`,
  };
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function garbage(random: Random): Buffer {
  const bytes = anyBytes(random, random.integer(1, 400));
  return random.pick([
    () => bytes,
    () => Buffer.concat([Buffer.from(PREFACE), bytes]),
    () => Buffer.concat([Buffer.from(PREFACE.slice(0, random.integer(1, 23))), bytes]),
    // The beginning of TLS.
    () => Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), bytes]),
    () => Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${SECRET}\r\n\r\n`),
    () => Buffer.alloc(4_096, "\n"),
    () => Buffer.from(`${SECRET}\r\n`),
  ])();
}

const anyAddress = ({ random, target: { grpcAddress, httpAddress } }: Context) =>
  random.pick([grpcAddress, httpAddress]);

export const socketKinds: readonly Kind[] = [
  {
    name: "TCP: bytes of no protocol",
    weight: 5,
    async attack(context) {
      const connection = await openTcp(anyAddress(context));
      connection.socket.write(garbage(context.random));
      await closeAfter(connection, STAY_MS);
      return { reply: replyOf(connection.received()), truth: "either", isBelowUs: true };
    },
  },
  {
    name: "TCP: bytes of no protocol, and a long wait",
    weight: 0.2,
    attack: (context) => untilClosed(anyAddress(context), garbage(context.random)),
  },
  {
    name: "TCP: a request that comes a byte at a time",
    weight: 0.5,
    async attack(context) {
      const { random, target, key } = context;
      const connection = await openTcp(target.httpAddress);
      const bytes = Buffer.from(hidden(random, key));
      for (let at = 0; at < 20; at += 1) {
        connection.socket.write(bytes.subarray(at, at + 1));
        await sleep(10);
      }
      await closeAfter(connection, 0);
      return {
        reply: replyOf(connection.received()),
        truth: "refused",
        isBelowUs: true,
        scope: scopeOf(key),
      };
    },
  },
  {
    name: "TCP: a request that is never complete",
    weight: 0.2,
    attack({ random, target, key }) {
      const bytes = Buffer.from(hidden(random, key));
      return untilClosed(
        target.httpAddress,
        bytes.subarray(0, random.integer(1, bytes.length - 1)),
      );
    },
  },
  {
    name: "HTTP: requests hidden in others",
    weight: 10,
    async attack({ random, target, key }) {
      const connection = await openTcp(target.httpAddress);
      const bytes = random.pick(SMUGGLED)(hidden(random, key));
      connection.socket.write(Buffer.from(bytes, "latin1"));
      await closeAfter(connection, STAY_MS);
      return {
        reply: replyOf(connection.received()),
        truth: "refused",
        isBelowUs: true,
        scope: scopeOf(key),
      };
    },
  },
  {
    name: "HTTP: odd requests",
    weight: 5,
    attack: ({ random, target }) => untilClosed(target.httpAddress, random.pick(ODD_REQUESTS)()),
  },
];
