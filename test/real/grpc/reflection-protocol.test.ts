import { fromBinary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ServerReflection,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../../src/gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../../src/gen/grpc/reflection/v1alpha/reflection_pb.js";
import { type ReflectedServer, SERVICES, startReflectedServer } from "./reflected-server.js";

const PAYMENTS = "payonce/payments/v1/payments.proto";
const SANDBOX = "payonce/sandbox/v1/sandbox.proto";
const OPTIONS = "payonce/idempotency/v1/options.proto";
const TIMESTAMP = "google/protobuf/timestamp.proto";
const DURATION = "google/protobuf/duration.proto";
const DESCRIPTOR = "google/protobuf/descriptor.proto";

const REQUESTS_PER_STREAM = 1_000;

let server: ReflectedServer;

beforeAll(async () => {
  server = await startReflectedServer();
});

afterAll(() => server.stop());

describe.each([
  ["v1", ServerReflection],
  ["v1alpha", ServerReflectionAlpha],
])("reflection %s", (version, service) => {
  /** Sends all requests at once and collects all answers. */
  async function ask(requests: readonly JsonObject[]) {
    const [method] = service.methods;
    if (method === undefined) {
      throw new TypeError("the service has no method");
    }
    const client = new Client(server.address, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(
      `/${service.typeName}/${method.name}`,
      (request: JsonObject) => Buffer.from(toBinary(method.input, fromJson(method.input, request))),
      (bytes) => fromBinary(ServerReflectionResponseSchema, bytes), // both versions have it,
    );
    const answers: ServerReflectionResponse[] = [];
    call.on("data", (answer: ServerReflectionResponse) => answers.push(answer));
    for (const request of requests) {
      call.write(request);
    }
    call.end();
    const ending = await new Promise<{ code: status; details: string }>((resolve) => {
      call.on("error", () => {}); // the status says the same
      call.on("status", resolve);
    });
    client.close();
    return { answers, code: ending.code, details: ending.details };
  }

  async function askOne(request: JsonObject): Promise<unknown> {
    const { answers, code } = await ask([request]);
    expect({ answers: answers.length, code }).toEqual({ answers: 1, code: status.OK });
    return answers.map(summary)[0];
  }

  it("lists the services", async () => {
    expect(await askOne({ listServices: "" })).toEqual([...SERVICES].sort());
  });

  it.each([
    { fileByFilename: PAYMENTS },
    { fileContainingSymbol: "payonce.payments.v1.PaymentService" },
    { fileContainingSymbol: "payonce.payments.v1.PaymentService.CreatePayment" },
    { fileContainingSymbol: "payonce.payments.v1.Payment.status" },
  ])("answers %j with the file and all its imports", async (request) => {
    expect(await askOne(request)).toEqual([PAYMENTS, TIMESTAMP, OPTIONS, DESCRIPTOR, DURATION]);
  });

  it.each([
    [{ fileContainingSymbol: "payonce.sandbox.v1.EFFECT_TYPE_VOID" }, SANDBOX],
    [
      {
        fileContainingExtension: {
          containingType: "google.protobuf.MethodOptions",
          extensionNumber: 51880,
        },
      },
      OPTIONS,
    ],
    [{ fileContainingSymbol: "google.protobuf.Duration" }, DURATION],
    [{ fileContainingSymbol: "grpc.health.v1.Health.List" }, "grpc/health/v1/health.proto"],
    [{ fileContainingSymbol: service.typeName }, `grpc/reflection/${version}/reflection.proto`],
  ])("answers %j with the file first", async (request, path) => {
    expect(await askOne(request)).toHaveProperty("0", path);
  });

  it("lists the numbers of a message's extensions", async () => {
    const numbersOf = (message: string) => askOne({ allExtensionNumbersOfType: message });
    expect(await numbersOf("google.protobuf.FieldOptions")).toEqual([51881]);
    expect(await numbersOf("payonce.payments.v1.Payment")).toEqual([]);
  });

  it.each([
    { fileByFilename: "no/such.proto" },
    { fileContainingSymbol: "no.Such" },
    { fileContainingSymbol: "payonce.payments.v1.PaymentService/CreatePayment" },
    {
      fileContainingExtension: {
        containingType: "google.protobuf.MethodOptions",
        extensionNumber: 1,
      },
    },
    { allExtensionNumbersOfType: "no.Such" },
  ])("answers %j with NOT_FOUND", async (request) => {
    expect(await askOne(request)).toBe(status.NOT_FOUND);
  });

  it("refuses a request that asks nothing, and goes on", async () => {
    const { answers, code } = await ask([{}, { fileByFilename: DURATION }]);
    expect(answers.map(summary)).toEqual([status.INVALID_ARGUMENT, [DURATION]]);
    expect(code).toBe(status.OK);
  });

  it("repeats the host and the request in its answer", async () => {
    const request = { host: "here", fileByFilename: DURATION };
    const { answers } = await ask([request]);
    expect(answers[0]).toMatchObject({
      validHost: "here",
      originalRequest: {
        host: "here",
        messageRequest: { case: "fileByFilename", value: DURATION },
      },
    });
  });

  it("answers as many requests as a stream may send, then ends it", async () => {
    const requests = Array.from({ length: REQUESTS_PER_STREAM + 1 }, () => ({
      fileByFilename: PAYMENTS,
    }));
    const within = await ask(requests.slice(1));
    expect({ answers: within.answers.length, code: within.code }).toEqual({
      answers: REQUESTS_PER_STREAM,
      code: status.OK,
    });
    const beyond = await ask(requests);
    expect({ ...beyond, answers: beyond.answers.length }).toEqual({
      answers: REQUESTS_PER_STREAM,
      code: status.RESOURCE_EXHAUSTED,
      details: "a stream accepts 1000 requests; open another",
    });
  });
});

/** Of an answer only what was asked for: paths, names, numbers or an error's code. */
function summary({ messageResponse: { case: kind, value } }: ServerReflectionResponse): unknown {
  switch (kind) {
    case "fileDescriptorResponse":
      return value.fileDescriptorProto.map(
        (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
      );
    case "listServicesResponse":
      return value.service.map(({ name }) => name).sort();
    case "allExtensionNumbersResponse":
      return value.extensionNumber;
    case "errorResponse":
      return value.errorCode;
    case undefined:
      return undefined;
  }
}
