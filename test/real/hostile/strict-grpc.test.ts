import { randomUUID } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  callRaw,
  connectRaw,
  framed,
  PAYMENT,
  type RawCall,
} from "../../support/calls/hostile-grpc.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

let cluster: Cluster;
let session: ClientHttp2Session;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, redisNodes: 0 });
  session = await connectRaw(cluster.targets()[0] ?? "");
});
afterAll(async () => {
  session?.destroy();
  await cluster?.stop();
});

const key = () => ({ "idempotency-key": randomUUID() });
const header = (name: string, value: string | undefined): RawCall => ({
  headers: { ...key(), [name]: value },
});

describe("a correct call", () => {
  it.each<[string, RawCall]>([
    ["in full", header("grpc-timeout", "20S")],
    ["with a timeout of years", header("grpc-timeout", "99999999M")],
    [
      "compressed",
      { headers: { ...key(), "grpc-encoding": "gzip" }, body: framed(gzipSync(PAYMENT), 1) },
    ],
    ["with an encoding, not compressed", header("grpc-encoding", "gzip")],
    ["with a header that cannot be metadata", header("x-name", "é")],
  ])("is executed: %s", async (_, call) => {
    expect(await callRaw(session, call)).toMatchObject({ grpcStatus: Code.OK, resetCode: 0 });
  });
});

describe("a call that breaks the rules of gRPC", () => {
  it.each<[string, RawCall]>([
    ["another method", header(":method", "GET")],
    ["no te", header("te", undefined)],
    ["a timeout without a unit", header("grpc-timeout", "20")],
    ["a timeout with a space", header("grpc-timeout", "20 S")],
    ["a timeout of nine digits", header("grpc-timeout", "123456789S")],
    ["a flag of 2", { headers: key(), body: framed(PAYMENT, 2) }],
    ["a flag of 255", { headers: key(), body: framed(PAYMENT, 255) }],
    ["a compressed flag without an encoding", { headers: key(), body: framed(PAYMENT, 1) }],
    [
      "what is not compressed though it says so",
      { headers: { ...key(), "grpc-encoding": "gzip" }, body: framed(PAYMENT, 1) },
    ],
    [
      "an encoding that nobody knows",
      { headers: { ...key(), "grpc-encoding": "br" }, body: framed(PAYMENT, 1) },
    ],
    ["no message", { headers: key(), body: Buffer.alloc(0) }],
    ["two messages", { headers: key(), body: Buffer.concat([framed(PAYMENT), framed(PAYMENT)]) }],
    [
      "a message larger than the schema allows",
      { headers: key(), body: framed(Buffer.alloc(400 * 1024)) },
    ],
    ["a message said to be of 4 GiB", { headers: key(), body: Buffer.from("00ffffffff00", "hex") }],
    [
      "a bomb",
      {
        headers: { ...key(), "grpc-encoding": "gzip" },
        body: framed(gzipSync(Buffer.alloc(64 * 1024 * 1024)), 1),
      },
    ],
  ])("is told REQUEST_INVALID: %s", async (_, call) => {
    const answer = await callRaw(session, call);
    expect(answer).toMatchObject({
      grpcStatus: Code.INVALID_ARGUMENT,
      reason: "REQUEST_INVALID",
    });
    expect(answer.grpcMessage).not.toBe("");
  });

  // DEL is not among them: nghttp2 drops a header that has it before anybody sees it.
  it.each(["a\tb", "a b", Buffer.from("ключ").toString("latin1"), "é", ""])(
    "is told that its key is not valid, not that it is missing: %j",
    async (text) => {
      expect(await callRaw(session, header("idempotency-key", text))).toMatchObject({
        grpcStatus: Code.INVALID_ARGUMENT,
        reason: "IDEMPOTENCY_KEY_INVALID",
      });
    },
  );
});

it("a refused call whose request goes on is reset", async () => {
  const answer = await callRaw(session, {
    headers: key(),
    body: Buffer.from("00ffffffff00", "hex"),
    isOpen: true,
  });
  expect(answer).toMatchObject({ grpcStatus: Code.INVALID_ARGUMENT, resetCode: 0 });
});
