import { randomUUID } from "node:crypto";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CreatePaymentRequestSchema } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { CREATE_PAYMENT, framed, PAYMENT } from "../../support/calls/hostile-grpc.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const JSON_PAYMENT = Buffer.from(
  JSON.stringify(
    toJson(CreatePaymentRequestSchema, fromBinary(CreatePaymentRequestSchema, PAYMENT)),
  ),
);

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ services: 1, redisNodes: 0 });
});
afterAll(() => cluster?.stop());

async function send(contentType: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://${cluster.services[0]?.httpAddress}${CREATE_PAYMENT}`, {
    method: "POST",
    headers: { "content-type": contentType, "idempotency-key": randomUUID(), ...headers },
    body: new Uint8Array(body),
  });
  const text = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  return { status: answer.status, headers: answer.headers, text };
}

const web = "application/grpc-web+proto";

describe("a correct body", () => {
  it.each([
    ["plain", JSON_PAYMENT, {}],
    ["in gzip", gzipSync(JSON_PAYMENT), { "content-encoding": "gzip" }],
    ["in brotli", brotliCompressSync(JSON_PAYMENT), { "content-encoding": "br" }],
    ["as identity", JSON_PAYMENT, { "content-encoding": "identity" }],
  ])("in JSON is read: %s", async (_, body, headers) => {
    expect(await send("application/json", body, headers)).toMatchObject({ status: 200 });
  });

  it("over gRPC-Web is read", async () => {
    const { text } = await send(web, framed(gzipSync(PAYMENT), 1), { "grpc-encoding": "gzip" });
    expect(text).toContain("grpc-status: 0");
  });
});

describe("a body that cannot be read is REQUEST_INVALID", () => {
  it.each([
    ["is not what its encoding says", { "content-encoding": "gzip" }],
    [
      "is cut in its encoding",
      { "content-encoding": "gzip" },
      gzipSync(JSON_PAYMENT).subarray(0, 40),
    ],
    ["is in an encoding that nobody knows", { "content-encoding": "zstd" }],
    ["comes with a timeout that is no number", { "connect-timeout-ms": "1e3" }],
    ["comes with a timeout of years", { "connect-timeout-ms": "9999999999" }],
    ["comes with a negative timeout", { "connect-timeout-ms": "-1" }],
  ])("JSON that %s", async (_, headers, body: Uint8Array = JSON_PAYMENT) => {
    const { status, text } = await send("application/json", body, headers);
    expect(status, text).toBe(400);
    expect(text).toContain("REQUEST_INVALID");
  });

  it.each([
    ["a flag of 2", framed(PAYMENT, 2), {}],
    ["a compressed flag without an encoding", framed(PAYMENT, 1), {}],
    ["a flag that is not true", framed(PAYMENT, 1), { "grpc-encoding": "gzip" }],
    ["an encoding that nobody knows", framed(PAYMENT, 1), { "grpc-encoding": "zstd" }],
    ["a timeout without a unit", framed(PAYMENT), { "grpc-timeout": "20" }],
  ])("gRPC-Web with %s", async (_, body, headers) => {
    const { text, headers: received } = await send(web, body, headers);
    const status = received.get("grpc-status") ?? /grpc-status: (\d+)/.exec(text)?.[1];
    expect(status, text).toBe("3");
    const details = received.get("grpc-status-details-bin") ?? text;
    expect(
      Buffer.from(/details-bin: (\S+)/.exec(text)?.[1] ?? details, "base64").toString("latin1"),
    ).toContain("REQUEST_INVALID");
  });
});

describe("a read by GET", () => {
  async function get(query: string) {
    const path = "/payonce.payments.v1.PaymentService/ListPayments";
    const answer = await fetch(`http://${cluster.services[0]?.httpAddress}${path}?${query}`);
    return { status: answer.status, text: await answer.text() };
  }

  it.each([
    ["JSON", `encoding=json&message=${encodeURIComponent('{"pageSize":1}')}`],
    ["nothing in JSON", "encoding=json&message={}"],
    ["bytes", "encoding=proto&base64=1&message=CAE"],
    [
      "compressed",
      `encoding=json&compression=gzip&base64=1&message=${gzipSync("{}").toString("base64url")}`,
    ],
  ])("is answered: %s", async (_, query) => {
    const { status, text } = await get(`connect=v1&${query}`);
    expect(status, text).toBe(200);
  });

  it.each([
    ["no encoding", ""],
    ["an encoding that nobody knows", "encoding=xml&message=x"],
    ["bytes that are no message", "encoding=proto&base64=1&message=CA"],
    ["no base64", "encoding=json&base64=1&message=!!!"],
    ["no JSON", "encoding=json&message={"],
    [
      "a number in another form",
      `encoding=json&message=${encodeURIComponent('{"pageSize":"0x1"}')}`,
    ],
    ["what cannot be decompressed", "encoding=proto&compression=gzip&base64=1&message=CAE"],
  ])("is told REQUEST_INVALID: %s", async (_, query) => {
    const { status, text } = await get(query);
    expect(status, text).toBe(400);
    expect(text).toContain("REQUEST_INVALID");
  });
});
