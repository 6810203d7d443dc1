import { fileURLToPath } from "node:url";
import {
  fromBinary,
  fromJson,
  fromJsonString,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Health } from "../../../src/gen/grpc/health/v1/health_pb.js";
import { buf } from "./buf.js";
import { type ReflectedServer, startReflectedServer } from "./reflected-server.js";

const NAMES = [
  "",
  "payonce.payments.v1.PaymentService",
  "payonce.sandbox.v1.SandboxProcessorService",
];

let server: ReflectedServer;
let client: Client;

beforeEach(async () => {
  server = await startReflectedServer();
  client = new Client(server.address, credentials.createInsecure());
});

afterEach(() => {
  client.close();
  server.stop();
});

function method(name: "Check" | "Watch" | "List") {
  const found = Health.methods.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new TypeError(`health checking has no method ${name}`);
  }
  const { input, output } = found;
  return {
    path: `/${Health.typeName}/${name}`,
    serialize: (json: JsonObject) => Buffer.from(toBinary(input, fromJson(input, json))),
    deserialize: (bytes: Buffer) => toJson(output, fromBinary(output, bytes)),
  };
}

function check(service: string): Promise<unknown> {
  const { path, serialize, deserialize } = method("Check");
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, serialize, deserialize, { service }, (error, answer) =>
      resolve(error === null ? answer : error.code),
    );
  });
}

describe("health", () => {
  it.each(NAMES)("of %j follows the server: starting, serving, draining", async (name) => {
    expect(await check(name)).toEqual({ status: "NOT_SERVING" });
    server.health.serving();
    expect(await check(name)).toEqual({ status: "SERVING" });
    server.health.draining();
    expect(await check(name)).toEqual({ status: "NOT_SERVING" });
  });

  it("of another service is NOT_FOUND", async () => {
    expect(await check("no.Such")).toBe(status.NOT_FOUND);
  });

  it("is listed for all services", async () => {
    server.health.serving();
    const { path, serialize, deserialize } = method("List");
    const answer = await new Promise((resolve) => {
      client.makeUnaryRequest(path, serialize, deserialize, {}, (_, listed) => resolve(listed));
    });
    const statuses = Object.fromEntries(NAMES.map((name) => [name, { status: "SERVING" }]));
    expect(answer).toEqual({ statuses });
  });

  it("is told to watchers as it changes", async () => {
    const { path, serialize, deserialize } = method("Watch");
    const call = client.makeServerStreamRequest(path, serialize, deserialize, { service: "" });
    call.on("error", () => {}); // the cancellation below
    const answers = call[Symbol.asyncIterator]();
    expect((await answers.next()).value).toEqual({ status: "NOT_SERVING" });
    server.health.serving();
    expect((await answers.next()).value).toEqual({ status: "SERVING" });
    server.health.draining();
    expect((await answers.next()).value).toEqual({ status: "NOT_SERVING" });
    call.cancel();
  });
});

describe("the schema that reflection shows of health checking", () => {
  it("is that of the package by which other servers of Node serve it", async () => {
    const protos = new URL("../../../node_modules/grpc-health-check/proto", import.meta.url);
    const image = await buf(
      ...["build", fileURLToPath(protos), "--exclude-source-info", "-o", "-#format=json"],
    );
    const { file } = fromJsonString(FileDescriptorSetSchema, image, { ignoreUnknownFields: true });
    const [theirs] = file.map((proto) => toJson(FileDescriptorProtoSchema, proto));
    const { name, ...ours } = toJson(FileDescriptorProtoSchema, Health.file.proto);
    expect(name).toBe("grpc/health/v1/health.proto");
    expect(theirs).toMatchObject(ours);
  });
});
