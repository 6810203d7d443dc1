import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code as ConnectCode, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CreatePaymentRequestSchema,
  PaymentService,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { EVENTS_PATH, openEventStream } from "../../support/calls/event-stream.js";
import { beginGrpcCall, beginHttpCall } from "../../support/calls/late-calls.js";
import {
  connectSilently,
  HTTP2_PREFACE,
  isRefused,
  type SilentPeer,
  startStoppedClient,
} from "../../support/calls/silent-peers.js";
import { startTcpProxy } from "../../support/calls/tcp-proxy.js";
import {
  byKey,
  openPayments,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import {
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../support/service/processor.js";
import { type ServiceProcess, waitUntil } from "../../support/service/service-process.js";
import { beginWaitingPayment } from "../../support/service/waiting-payment.js";
import { createAuthority } from "./certificates.js";

/** Nothing under way: what peers are given to hang up, and time for a busy machine. */
const IDLE_STOP_LIMIT_MS = 2_000;

const STEP_LIMIT_MS = 20_000;

/** Long enough to do something to a service that is stopping. */
const PROCESSOR_DELAY_MS = 3_000;

const CREATE_PATH = "/payonce.payments.v1.PaymentService/CreatePayment";
const GET_PATH = "/payonce.payments.v1.PaymentService/GetPayment";
const JSON_PAYMENT = `{"amount": {"currencyCode": "EUR", "minorUnits": "1999"}, "paymentMethod": "tok_visa"}`;

let cluster: Cluster;
let processor: Processor;
let pool: pg.Pool;

beforeAll(async () => {
  cluster = await startCluster({ services: 0, redisNodes: 0 });
  processor = openProcessor(cluster.sandbox.address);
  pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  const service = await cluster.addService();
  const payments = openPayments(service.grpcAddress);
  await payments.createPayment(paymentOf("tok_visa"), "first"); // a stream of events has some
  payments.close();
  await service.stop();
});

afterAll(async () => {
  await pool?.end();
  processor?.close();
  await cluster?.stop();
});

/** Sends SIGTERM. Resolves with the exit code and how long it took. */
async function stop(service: ServiceProcess) {
  const startedAtMs = performance.now();
  service.kill("SIGTERM");
  const code = await service.exited;
  return { code, durationMs: performance.now() - startedAtMs };
}

async function expectIdleStop(service: ServiceProcess): Promise<void> {
  const { code, durationMs } = await stop(service);
  expect(code).toBe(0);
  expect(durationMs).toBeLessThan(IDLE_STOP_LIMIT_MS);
}

/** Resolves once the service accepts nothing any more, on either port. */
async function untilStopping({ grpcAddress, httpAddress }: ServiceProcess): Promise<void> {
  for (const address of [grpcAddress, httpAddress]) {
    await waitUntil(() => isRefused(address), STEP_LIMIT_MS);
  }
}

/** A client whose window for a stream is one byte: no event reaches it whole. */
async function openUnreadStream(address: string): Promise<SilentPeer> {
  const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 1 } });
  session.on("error", () => {}); // it is cut off
  await once(session, "remoteSettings");
  const stream = session.request({
    ":method": "POST",
    ":path": EVENTS_PATH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(Buffer.alloc(5)); // an empty message
  await once(stream, "response");
  return { end: () => session.destroy() };
}

/** Sends these bytes over TLS, and then keeps its side open whatever it receives. */
async function connectWithTls(address: string, bytes: string | Uint8Array): Promise<SilentPeer> {
  const { hostname, port } = new URL(`https://${address}`);
  const socket = connectTls({
    socket: connectTcp({ host: hostname, port: Number(port), allowHalfOpen: true }),
    ALPNProtocols: ["h2", "http/1.1"],
    rejectUnauthorized: false, // nothing is told to the server
  });
  socket.on("error", () => {}); // it is cut off
  await once(socket, "secureConnect");
  socket.write(bytes);
  await once(socket, "data");
  return { end: () => socket.destroy() };
}

const GET_METRICS = "GET /metrics HTTP/1.1\r\nhost: payonce\r\n\r\n";

describe("SIGTERM with nothing under way ends at once, with exit code 0, while there is", () => {
  it.each<readonly [string, (service: ServiceProcess) => Promise<SilentPeer>]>([
    ["a silent connection to gRPC", ({ grpcAddress }) => connectSilently(grpcAddress)],
    ["an idle HTTP/2 connection", ({ grpcAddress }) => connectSilently(grpcAddress, HTTP2_PREFACE)],
    ["a silent connection to HTTP", ({ httpAddress }) => connectSilently(httpAddress)],
    ["half a request", ({ httpAddress }) => connectSilently(httpAddress, "POST /x HTTP/1.1\r\nho")],
    ["a kept HTTP connection", ({ httpAddress }) => connectSilently(httpAddress, GET_METRICS)],
    ["a stream that is not read", ({ grpcAddress }) => openUnreadStream(grpcAddress)],
    ["a stopped client", ({ grpcAddress }) => startStoppedClient(grpcAddress, EVENTS_PATH)],
  ])("%s", async (_, connect) => {
    const service = await cluster.addService();
    const peer = await connect(service);
    await expectIdleStop(service);
    peer.end();
  });

  it("an idle connection with TLS, or one that never began it, on either port", async () => {
    const directory = await mkdtemp(join(tmpdir(), "payonce-test-stop-"));
    const authority = await createAuthority(directory, "authority");
    const { certFile, keyFile } = await authority.issue("server");
    const service = await cluster.addService({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const peers = [
      await connectSilently(service.grpcAddress),
      await connectSilently(service.httpAddress),
      await connectWithTls(service.grpcAddress, HTTP2_PREFACE),
      await connectWithTls(service.httpAddress, GET_METRICS),
    ];
    await expectIdleStop(service);
    for (const peer of peers) {
      peer.end();
    }
    await rm(directory, { recursive: true });
  });
});

describe("a stream of events ends at once, and says where to resume", () => {
  it("over gRPC", async () => {
    const service = await cluster.addService();
    const { events, error } = openEventStream(service.grpcAddress);
    await waitUntil(() => events.length > 0, STEP_LIMIT_MS);
    await expectIdleStop(service);
    const { code, details, metadata } = await error;
    expect(details).toContain("after the id of the last event");
    const trailers = Object.entries(metadata.getMap());
    const result = { code: code as Code, message: details, headers: [], trailers };
    expect(refusalOf({ ...result, body: new Uint8Array() })).toMatchObject({
      code: Code.UNAVAILABLE,
      domain: "payonce",
      reason: "STORE_UNAVAILABLE",
      next: "retry_same_key",
    });
  });

  it("over Connect", async () => {
    const service = await cluster.addService();
    const baseUrl = `http://${service.httpAddress}`;
    const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
    let count = 0;
    const ended = (async () => {
      for await (const _ of createClient(PaymentService, transport).streamPaymentEvents({})) {
        count += 1;
      }
    })().catch((error: unknown) => ConnectError.from(error));
    await waitUntil(() => count > 0, STEP_LIMIT_MS);
    await expectIdleStop(service);
    expect(await ended).toMatchObject({
      code: ConnectCode.Unavailable,
      rawMessage: expect.stringContaining("after the id of the last event"),
    });
  });
});

describe("while a call is under way, a service that stops", () => {
  it("takes nothing new on either port, also where a connection is open, and then gives the answer", async () => {
    const service = await cluster.addService();
    const { grpcAddress, httpAddress } = service;
    const payments = openPayments(grpcAddress);
    const { result } = await beginWaitingPayment({
      processor,
      key: "under-way",
      delayMs: PROCESSOR_DELAY_MS,
      send: () => payments.createPayment(paymentOf("tok_visa"), "under-way"),
    });
    const request = create(CreatePaymentRequestSchema, paymentOf("tok_visa"));
    const message = toBinary(CreatePaymentRequestSchema, request);
    const overGrpc = { address: grpcAddress, path: CREATE_PATH, key: "late-grpc" };
    const overHttp = { address: httpAddress, path: CREATE_PATH, key: "late-http" };
    const read = { address: httpAddress, path: GET_PATH };
    const { hostname, port } = new URL(`http://${httpAddress}`);
    const check = connectTcp({ host: hostname, port: Number(port) });
    check.write("GET /healthz HTTP/1.1\r\nhost: payonce\r\n");
    await once(check, "connect");
    const lateGrpc = await beginGrpcCall(overGrpc, message);
    const lateHttp = await beginHttpCall(overHttp, JSON_PAYMENT);
    const lateRead = await beginHttpCall(read, `{"idempotencyKey": "first"}`);
    const stopped = stop(service);
    await untilStopping(service);

    const refused = { reason: "STORE_UNAVAILABLE" };
    expect(await lateGrpc.finish()).toEqual({ ...refused, status: Code.UNAVAILABLE });
    expect(await lateHttp.finish()).toEqual({ ...refused, status: 503, isLast: true });
    expect(await lateRead.finish()).toEqual({ ...refused, status: 503, isLast: true });
    check.write("\r\n");
    const [answer] = await once(check, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 503 .*\bconnection: close\b.*stopping/is);
    check.destroy();
    const { code } = await payments.createPayment(paymentOf("tok_visa"), "late-client");
    expect(code).toBe(Code.UNAVAILABLE);
    const { rows } = await pool.query(
      "SELECT idempotency_key FROM idempotency_records WHERE idempotency_key LIKE 'late-%'",
    );
    expect(rows).toEqual([]);

    expect((await result).response?.payment?.status).toBe(PaymentStatus.CAPTURED);
    payments.close();
    expect((await stopped).code).toBe(0);
  });

  it("ends at once at a second signal", async () => {
    const service = await cluster.addService();
    const payments = openPayments(service.grpcAddress);
    const { result } = await beginWaitingPayment({
      processor,
      key: "interrupted",
      delayMs: 5 * PROCESSOR_DELAY_MS,
      send: () => payments.createPayment(paymentOf("tok_visa"), "interrupted"),
    });
    const stopped = stop(service);
    await untilStopping(service);
    const echo = setInterval(() => service.kill("SIGTERM"), 100); // the first 500 ms it may be an echo
    const { code, durationMs } = await stopped;
    clearInterval(echo);
    expect(code).toBe(1);
    expect(durationMs).toBeLessThan(PROCESSOR_DELAY_MS);
    expect((await result).code).toBe(Code.UNAVAILABLE);
    payments.close();
  });
});

const SHUTDOWN_TIMEOUT_MS = 2_000;
/** Until a busy machine has noticed that the time is over. */
const MARGIN_MS = 3_000;

it("with a database that does not answer, a service ends in time, and says that not all has ended", async () => {
  const url = new URL(cluster.database.url);
  const proxy = await startTcpProxy(Number(url.port));
  url.port = String(proxy.port);
  const service = await cluster.addService({
    DATABASE_URL: url.href,
    SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS),
  });
  const payments = openPayments(service.grpcAddress);
  const { result } = await beginWaitingPayment({
    processor,
    key: "not-finished",
    delayMs: 500,
    send: () => payments.createPayment(paymentOf("tok_visa"), "not-finished"),
  });
  proxy.hold("to server");
  proxy.hold("to client");
  const { code, durationMs } = await stop(service);
  expect(durationMs).toBeLessThan(SHUTDOWN_TIMEOUT_MS + MARGIN_MS);
  expect(code).toBe(3);
  expect(service.output()).toContain("left behind: 1 calls, 0 streams, 1 sockets");
  expect((await result).code).toBe(Code.UNAVAILABLE);
  payments.close();
  await proxy.close();
});

describe("with a processor that never answers", () => {
  const NEVER_MS = 3_600_000;
  const KEYS = Array.from({ length: 20 }, (_, index) => `unanswered-${index}`);

  it("a service ends in time, says what it left, and hands it on: another one charges each once", async () => {
    const env = { PROCESSOR_TIMEOUT_MS: "50s", IDEMPOTENCY_LEASE_MS: "60s" };
    const service = await cluster.addService({
      ...env,
      SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS),
    });
    await processor.arm(
      { action: FaultAction.NEVER, count: KEYS.length / 2 },
      {
        action: FaultAction.DELAY_AFTER, // has acted, and does not say so
        delay: durationFromMs(NEVER_MS),
        count: KEYS.length / 2,
      },
    );
    const payments = openPayments(service.grpcAddress);
    const answers = KEYS.map((key) => payments.createPayment(paymentOf("tok_visa"), key));
    await waitUntil(async () => {
      const calls = KEYS.map((key) => processor.callsOf(processorKeyOfCall("CreatePayment", key)));
      return (await Promise.all(calls)).every((count) => count === 1n);
    }, STEP_LIMIT_MS);

    const { code, durationMs } = await stop(service);
    expect(durationMs).toBeLessThan(SHUTDOWN_TIMEOUT_MS + MARGIN_MS);
    expect(code).toBe(3);
    expect(service.output()).toContain("left behind: 20 calls, 0 streams, 1 sockets");
    const codes = (await Promise.all(answers)).map((answer) => answer.code);
    expect(codes).toEqual(KEYS.map(() => Code.UNAVAILABLE));
    payments.close();

    // Far sooner than the lease: the claims were handed on.
    const other = await cluster.addService(env);
    const elsewhere = openPayments(other.grpcAddress);
    await waitUntil(async () => {
      const { rowCount } = await pool.query(
        "SELECT FROM idempotency_records WHERE idempotency_key LIKE 'unanswered-%' AND state <> 'completed'",
      );
      return rowCount === 0;
    }, STEP_LIMIT_MS);
    for (const key of KEYS) {
      const { answer } = await untilAnswered(() =>
        elsewhere.createPayment(paymentOf("tok_visa"), key),
      );
      expect(answer.response?.payment?.status).toBe(PaymentStatus.CAPTURED);
      const { response } = await elsewhere.getPayment(byKey(key));
      expect(await processor.effectTypesOf(response?.payment?.id)).toEqual(["AUTHORIZE_CAPTURE"]);
    }
    elsewhere.close();
  });
});
