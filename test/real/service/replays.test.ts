import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { CaptureMethod, PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { callUnary, type UnaryResult } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { STATUS_DETAILS_TRAILER } from "../../../src/idempotency/answers/errors.js";
import { KEY_METADATA } from "../../../src/idempotency/request/key.js";
import { paymentIdOfKey } from "../../../src/payments/operation.js";
import { answerOf, eur, isReplayed, paymentOf } from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { post } from "../../support/service/http.js";
import { openProcessor } from "../../support/service/processor.js";
import type { ServiceProcess } from "../../support/service/service-process.js";

const { createPayment, capturePayment } = PaymentService.method;

const AUTHORIZED = callOf({
  name: "an authorization",
  code: Code.OK,
  method: createPayment,
  request: paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL }),
});

const CALLS = [
  callOf({
    name: "an OK",
    code: Code.OK,
    method: createPayment,
    request: paymentOf("tok_visa", { metadata: { order: "7", "": "x", 1: "one" } }),
  }),
  callOf({
    name: "a declined card",
    code: Code.OK,
    method: createPayment,
    request: paymentOf("tok_declined"),
  }),
  callOf({
    name: "a capture of too much",
    code: Code.FAILED_PRECONDITION,
    method: capturePayment,
    request: { paymentId: paymentIdOfKey("default", AUTHORIZED.key), amount: eur(2_000n) },
  }),
  callOf({
    name: "a payment that does not exist",
    code: Code.NOT_FOUND,
    method: capturePayment,
    request: { paymentId: "pay_none" },
  }),
];

let cluster: Cluster;
let first: ServiceProcess;
let other: ServiceProcess;
let effects: number;
const firstAnswers = new Map<string, UnaryResult<DescMessage>>();

beforeAll(async () => {
  cluster = await startCluster({ services: 0 });
  first = await cluster.addService();
  other = await cluster.addService();
  for (const call of [AUTHORIZED, ...CALLS]) {
    firstAnswers.set(call.key, await call.overGrpc(first));
  }
  effects = await countEffects();
});

afterAll(() => cluster?.stop());

describe.each(CALLS)("$name", (call) => {
  it("is the answer of an execution at first", () => {
    const answer = firstAnswerOf(call);
    expect(answer.code).toBe(call.code);
    expect(isReplayed(answer)).toBe(false);
  });

  it("comes out of Redis the second time, at another process", async () => {
    const hits = await hitsAt(other);
    await expectReplay(call, other);
    expect(await hitsAt(other)).toBe(hits + 1);
  });

  it("comes as JSON, with the same content", async () => {
    const { status, headers, text } = await post(call.overJson(other));
    expect(headers.get("idempotency-replayed")).toBe("true");
    const answer = firstAnswerOf(call);
    if (call.code === Code.OK) {
      expect(status).toBe(200);
      expect(JSON.parse(text)).toEqual(call.toJson(answer.body));
    } else {
      const { message, details } = JSON.parse(text);
      expect(message).toBe(answer.message);
      expect(details.map(({ debug: _, ...detail }: { debug: unknown }) => detail)).toEqual(
        detailsOf(answer),
      );
      expect(headers.get("grpc-retry-pushback-ms")).toBe("-1");
    }
  });
});

it.each(CALLS.filter(({ code }) => code === Code.OK))(
  "$name comes byte for byte over Connect",
  async (call) => {
    const { headers, body } = await post(call.overConnect(other));
    expect(headers.get("idempotency-replayed")).toBe("true");
    expect(Buffer.from(body)).toEqual(Buffer.from(firstAnswerOf(call).body));
  },
);

it("an answer that was first given as JSON is replayed over gRPC", async () => {
  const call = callOf({
    name: "first as JSON",
    code: Code.OK,
    method: createPayment,
    request: paymentOf("tok_declined", { metadata: { b: "2", a: "1" } }),
  });
  const { headers, text } = await post(call.overJson(first));
  expect(headers.has("idempotency-replayed")).toBe(false);
  const replay = await call.overGrpc(other);
  expect(isReplayed(replay)).toBe(true);
  expect(call.toJson(replay.body)).toEqual(JSON.parse(text));
});

describe("after FLUSHALL on every Redis node", () => {
  beforeAll(async () => {
    for (const { url } of cluster.redisNodes) {
      const node = new Redis(url);
      await node.flushall();
      node.disconnect();
    }
  });

  it.each(CALLS)("$name comes out of Postgres", async (call) => {
    const hits = await hitsAt(other);
    await expectReplay(call, other);
    expect(await hitsAt(other)).toBe(hits);
  });
});

describe("after a restart of all services and Redis nodes", () => {
  let restarted: ServiceProcess;

  beforeAll(async () => {
    await Promise.all([first.stop(), other.stop()]);
    await Promise.all(cluster.redisNodes.map((node) => node.restart()));
    restarted = await cluster.addService();
  });

  it.each(CALLS)("$name is still the same", (call) => expectReplay(call, restarted));

  it("the processor has done nothing more than at first", async () => {
    expect(await countEffects()).toBe(effects);
  });
});

async function expectReplay(call: Call, service: ServiceProcess): Promise<void> {
  const replay = await call.overGrpc(service);
  expect(isReplayed(replay)).toBe(true);
  expect(answerOf(replay)).toEqual(answerOf(firstAnswerOf(call)));
}

type Call = ReturnType<typeof callOf>;

/** One call under one key, over every protocol. */
function callOf<Input extends DescMessage, Output extends DescMessage>(options: {
  readonly name: string;
  readonly code: Code;
  readonly method: DescMethodUnary<Input, Output>;
  readonly request: MessageInitShape<Input>;
}) {
  const { name, code, method } = options;
  const key = name.replaceAll(" ", "-");
  const request = create(method.input, options.request);
  const http = { method: method.name, key };
  return {
    name,
    code,
    key,
    async overGrpc({ grpcAddress }: ServiceProcess): Promise<UnaryResult<DescMessage>> {
      const client = new Client(grpcAddress, credentials.createInsecure());
      const metadata = new Metadata();
      metadata.set(KEY_METADATA, key);
      const result = await callUnary(client, { method, request: options.request, metadata });
      client.close();
      return result;
    },
    overJson: ({ httpAddress: address }: ServiceProcess) => ({
      ...http,
      address,
      body: toJsonString(method.input, request),
    }),
    overConnect: ({ httpAddress: address }: ServiceProcess) => ({
      ...http,
      address,
      body: toBinary(method.input, request),
    }),
    toJson: (body: Uint8Array) => toJson(method.output, fromBinary(method.output, body)),
  };
}

function firstAnswerOf({ key }: Call): UnaryResult<DescMessage> {
  const answer = firstAnswers.get(key);
  if (answer === undefined) {
    throw new Error(`${key} was not called yet`);
  }
  return answer;
}

/** The details of an error in Connect's form. */
function detailsOf({ trailers }: UnaryResult<DescMessage>) {
  const encoded = trailers.find(([name]) => name === STATUS_DETAILS_TRAILER)?.[1];
  return fromBinary(StatusSchema, Buffer.from(encoded ?? "")).details.map(({ typeUrl, value }) => ({
    type: typeUrl.replace("type.googleapis.com/", ""),
    value: Buffer.from(value).toString("base64").replaceAll("=", ""),
  }));
}

/** How often the Redis gate of a process has found an answer. */
async function hitsAt({ httpAddress }: ServiceProcess): Promise<number> {
  const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text();
  return Number(/^payonce_gate_decisions_total\{decision="hit"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

async function countEffects(): Promise<number> {
  const processor = openProcessor(cluster.sandbox.address);
  const count = await processor.countEffects();
  processor.close();
  return count;
}
