import { fromBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { post } from "../../support/service/http.js";

const METHOD = "/payonce.payments.v1.PaymentService/CreatePayment";

/** More than the schema allows all texts and metadata of a request to take. Bytes. */
const TOO_LARGE = 400 * 1024;

let cluster: Cluster;
let grpc: Client;
let http: string;

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  grpc = new Client(cluster.targets()[0] ?? "", credentials.createInsecure());
  http = cluster.services[0]?.httpAddress ?? "";
});
afterAll(async () => {
  grpc?.close();
  await cluster?.stop();
});

/** What the service answers to bytes that need not be a request. */
function send(bytes: Uint8Array, key: string): Promise<ServiceError | null> {
  const metadata = new Metadata();
  metadata.set("idempotency-key", key);
  const deadline = Date.now() + 20_000;
  return new Promise((resolve) => {
    grpc.makeUnaryRequest(
      METHOD,
      (value: Buffer) => value,
      (value: Buffer) => value,
      Buffer.from(bytes),
      metadata,
      { deadline },
      (error) => resolve(error),
    );
  });
}

function reasonOf(error: ServiceError | null): string | undefined {
  const [details] = error?.metadata.get("grpc-status-details-bin") ?? [];
  const [first] = fromBinary(StatusSchema, Buffer.from(details ?? "")).details;
  return first && fromBinary(ErrorInfoSchema, first.value).reason;
}

const varints = (count: number) =>
  Buffer.from(Array.from({ length: count }, () => "f84e01").join(""), "hex");

describe("a request over gRPC that cannot be read", () => {
  it.each([
    ["is no message", Buffer.from("ffffffffffffffffffff", "hex")],
    ["is cut", Buffer.from("0a05", "hex")],
    ["has more fields than anybody means", varints(100_000)],
    ["is larger than the schema allows", Buffer.alloc(TOO_LARGE, 0)],
    ["holds a text that is not UTF-8", Buffer.from("1a02c328", "hex")],
  ])("%s: REQUEST_INVALID, and its key stays free", async (what, bytes) => {
    const key = `unreadable ${what}`.replaceAll(" ", "-");
    const error = await send(bytes, key);
    expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect(reasonOf(error)).toBe("REQUEST_INVALID");
    expect(error?.metadata.get("grpc-retry-pushback-ms")).toEqual(["-1"]);
    const json = JSON.stringify({
      amount: { currencyCode: "EUR", minorUnits: "100" },
      paymentMethod: "tok_visa",
    });
    const paid = await post({ address: http, method: "CreatePayment", body: json, key });
    expect(paid.status, paid.text).toBe(200);
  });
});

describe("a request in JSON that nobody can mean", () => {
  const amount = (minorUnits: string) =>
    `{"amount":{"currencyCode":"EUR","minorUnits":${minorUnits}},"paymentMethod":"tok_visa"}`;

  it.each([
    ["an amount in another form", amount('"0x10"')],
    ["an amount that is rounded", amount("999999999999999.99")],
    ["an amount of a million digits", amount(`"${"9".repeat(300_000)}"`)],
    ["levels without end", "[".repeat(300_000)],
    ["no JSON", "amount=5"],
    ["an unknown field", '{"amounts":5}'],
    ["a text for a number", '{"captureMethod":{"secret":1}}'],
    ["a field twice", '{"paymentMethod":"a","payment_method":"b"}'],
    ["no object", '"secret"'],
    ["more bytes than the schema allows", `{"description":"${"a".repeat(TOO_LARGE)}"}`],
  ])("%s: REQUEST_INVALID", async (what, body) => {
    const key = `json ${what}`.replaceAll(" ", "-");
    const answer = await post({ address: http, method: "CreatePayment", body, key });
    expect(answer.status, answer.text.slice(0, 300)).toBe(400);
    const error = JSON.parse(answer.text);
    expect(error.code).toBe("invalid_argument");
    expect(JSON.stringify(error.details)).toContain("REQUEST_INVALID");
    expect(answer.text.length).toBeLessThan(2_000); // nothing of what was sent comes back
    expect(answer.text).not.toContain("secret");
  });
});
