import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import { callRaw, connectRaw, type RawAnswer } from "../../support/calls/hostile-grpc.js";
import { HTTP2_PREFACE } from "../../support/calls/silent-peers.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { type ServiceProcess, waitUntil } from "../../support/service/service-process.js";

/** Attackers have an address of their own, and take no connection from others. */
const ATTACKER = "127.0.0.2";

const REQUEST_TIMEOUT_MS = 3_000;
const MAX_CONNECTIONS_PER_PEER = 400;

/** What an attack may make the process grow by, garbage included. */
const GROWTH_LIMIT_MB = 180;

/** How long a correct call may take meanwhile, on two cores that the attacker shares. */
const CALL_LIMIT_MS = 5_000;

/** Nearly the largest message that is accepted, not to be completed. Bytes. */
const MESSAGE_BYTES = 384 * 1024;

let cluster: Cluster;
let service: ServiceProcess;
let client: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({
    services: 1,
    redisNodes: 0,
    env: {
      REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
      MAX_CONNECTIONS_PER_PEER: String(MAX_CONNECTIONS_PER_PEER),
    },
  });
  [service] = cluster.services as [ServiceProcess];
  client = openPayments(service.grpcAddress);
  for (let index = 0; index < 20; index += 1) {
    await client.createPayment(paymentOf("tok_visa"), randomUUID());
  }
});
afterAll(async () => {
  client?.close();
  await cluster?.stop();
});

async function residentMb(): Promise<number> {
  const status = await readFile(`/proc/${service.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Runs an attack, asserting meanwhile that memory is bounded and that others are served. */
async function whileServed<Result>(attack: Promise<Result>): Promise<Result> {
  const before = await residentMb();
  const state = { isOver: false };
  const ended = attack.finally(() => {
    state.isOver = true;
  });
  let peak = before;
  do {
    const start = performance.now();
    const paid = await client.createPayment(paymentOf("tok_visa"), randomUUID());
    expect(paid).toMatchObject({ code: Code.OK });
    expect(performance.now() - start).toBeLessThan(CALL_LIMIT_MS);
    peak = Math.max(peak, await residentMb());
    await sleep(50);
  } while (!state.isOver);
  const result = await ended;
  expect(peak - before).toBeLessThan(GROWTH_LIMIT_MB);
  return result;
}

/** The beginning of a message of the largest size, without its last byte. */
function unfinishedMessage(): Buffer {
  const bytes = Buffer.alloc(5 + MESSAGE_BYTES - 1);
  bytes.writeUInt32BE(MESSAGE_BYTES, 1);
  return bytes;
}

async function unfinishedCalls(bodies: readonly Buffer[]): Promise<RawAnswer[]> {
  const session = await connectRaw(service.grpcAddress, ATTACKER);
  const answers = await Promise.all(
    bodies.map((body) =>
      callRaw(session, { headers: { "idempotency-key": randomUUID() }, body, isOpen: true }),
    ),
  );
  session.destroy();
  return answers;
}

const codesOf = (answers: readonly RawAnswer[]) =>
  new Set(answers.map((each) => each.grpcStatus ?? `reset ${each.resetCode}`));

describe("requests that are never completed", () => {
  it("on one connection hold little, and are given up for each other", async () => {
    const answers = await whileServed(
      unfinishedCalls(Array.from({ length: 900 }, unfinishedMessage)),
    );
    expect(codesOf(answers)).toEqual(new Set([Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED]));
  });

  it("on many connections hold little, and correct calls on others go on", async () => {
    const connections = Array.from({ length: 20 }, () =>
      unfinishedCalls(Array.from({ length: 40 }, unfinishedMessage)),
    );
    const answers = (await whileServed(Promise.all(connections))).flat();
    expect(codesOf(answers)).toEqual(new Set([Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED]));
  });

  it("that hold nothing end in time", async () => {
    const connections = Array.from({ length: 20 }, () =>
      unfinishedCalls(Array.from({ length: 500 }, () => Buffer.alloc(0))),
    );
    const answers = (await whileServed(Promise.all(connections))).flat();
    expect(answers).toHaveLength(10_000);
    expect(codesOf(answers)).toEqual(new Set([Code.DEADLINE_EXCEEDED]));
  });

  it("in more streams than a connection may have are refused", async () => {
    const session = await connectRaw(service.grpcAddress, ATTACKER);
    expect(session.remoteSettings.maxConcurrentStreams).toBe(1_000);
    session.destroy();
  });

  it("over HTTP hold little, and are cut off", async () => {
    const head = `POST /payonce.payments.v1.PaymentService/CreatePayment HTTP/1.1\r\nhost: ${service.httpAddress}\r\ncontent-type: application/json\r\ncontent-length: ${MESSAGE_BYTES}\r\n\r\n`;
    const body = Buffer.alloc(MESSAGE_BYTES - 1, " ");
    const sockets = Array.from({ length: 300 }, () => openSocket(service.httpAddress));
    await whileServed(
      Promise.all(
        sockets.map(async (socket) => {
          socket.write(head);
          socket.write(body);
          await closed(socket);
        }),
      ),
    );
  });
});

function openSocket(address: string): Socket {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect({ host: hostname, port: Number(port), localAddress: ATTACKER });
  socket.on("error", () => {}); // it is to be cut off
  socket.resume();
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe.each(["grpcAddress", "httpAddress"] as const)("connections to the %s", (port) => {
  it("from one address are bounded, and closed if they stay silent", async () => {
    const sockets = Array.from({ length: MAX_CONNECTIONS_PER_PEER + 100 }, () =>
      openSocket(service[port]),
    );
    const open = () => sockets.filter(({ destroyed }) => !destroyed).length;
    await whileServed(waitUntil(() => open() <= MAX_CONNECTIONS_PER_PEER, REQUEST_TIMEOUT_MS));
    await whileServed(waitUntil(() => open() === 0, 5 * REQUEST_TIMEOUT_MS));
  });
});

it("a connection that speaks HTTP/2 but asks nothing is closed", async () => {
  const socket = openSocket(service.grpcAddress);
  socket.write(HTTP2_PREFACE);
  const start = performance.now();
  await closed(socket);
  expect(performance.now() - start).toBeLessThan(3 * REQUEST_TIMEOUT_MS);
});
