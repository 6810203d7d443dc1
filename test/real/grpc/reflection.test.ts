import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { SandboxProcessorService } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { GRPCURL_BUILD_LIMIT_MS, grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { buf } from "./buf.js";
import { type ReflectedServer, SERVICES, startReflectedServer } from "./reflected-server.js";

let server: ReflectedServer;

beforeAll(async () => {
  server = await startReflectedServer();
  server.health.serving();
});

afterAll(() => server.stop());

describe.skipIf(!grpcurlAvailable)("grpcurl", () => {
  beforeAll(async () => {
    await grpcurl(["-version"]);
  }, GRPCURL_BUILD_LIMIT_MS);

  async function run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await grpcurl(["-plaintext", server.address, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  }

  it("lists the services", async () => {
    expect((await run("list")).trim().split("\n")).toEqual(SERVICES);
  });

  it.each([PaymentService, SandboxProcessorService])(
    "lists the methods of $name",
    async (service) => {
      const methods = service.methods.map(({ name }) => `${service.typeName}.${name}`);
      expect((await run("list", service.typeName)).trim().split("\n")).toEqual(methods.sort());
    },
  );

  it("describes all services, our custom option included", async () => {
    const text = await run("describe");
    expect(text).toContain(
      "rpc CreatePayment ( .payonce.payments.v1.CreatePaymentRequest ) returns ( .payonce.payments.v1.CreatePaymentResponse ) {\n" +
        "    option (.payonce.idempotency.v1.idempotency) = { on_lost_owner: ON_LOST_OWNER_RERUN };",
    );
    expect(text).toContain("rpc SetFaults ( .payonce.sandbox.v1.SetFaultsRequest )");
  });

  it.each([
    ["payonce.payments.v1.PaymentService.GetPayment", "option idempotency_level = NO_SIDE_EFFECTS"],
    ["payonce.payments.v1.Payment", ".google.protobuf.Timestamp create_time = 11;"],
    ["payonce.payments.v1.Payment.status", ".payonce.payments.v1.PaymentStatus status = 2;"],
    ["payonce.payments.v1.PaymentStatus", "PAYMENT_STATUS_UNKNOWN = 7;"],
    ["payonce.payments.v1.PAYMENT_STATUS_UNKNOWN", "is an enum value"],
    ["payonce.payments.v1.GetPaymentRequest.lookup", "is a one-of"],
    ["payonce.sandbox.v1.Effect", "string processor_key = 3;"],
    ["payonce.idempotency.v1.idempotency", "IdempotencyPolicy idempotency = 51880;"],
    ["grpc.reflection.v1alpha.ExtensionRequest", "int32 extension_number = 2;"],
    ["grpc.health.v1.HealthListResponse", "map<string, .grpc.health.v1.HealthCheckResponse>"],
  ])("describes %s", async (symbol, expected) => {
    expect(await run("describe", symbol)).toContain(expected);
  });

  it("calls a method with nothing but reflection", async () => {
    expect(JSON.parse(await run("grpc.health.v1.Health/Check"))).toEqual({
      status: "SERVING",
    });
  });

  it("is told of a symbol that does not exist", async () => {
    const { code, stderr } = await grpcurl(["-plaintext", server.address, "describe", "no.Such"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("Symbol not found: no.Such");
  });
});

describe.each(["grpc-v1", "grpc-v1alpha"])("buf curl over reflection %s", (version) => {
  const curl = (...args: string[]) =>
    buf(
      "curl",
      "--protocol",
      "grpc",
      "--http2-prior-knowledge",
      "--reflect-protocol",
      version,
      ...args,
    );

  it("lists the methods", async () => {
    const methods = (await curl("--list-methods", `http://${server.address}`)).trim().split("\n");
    expect(methods).toContain("payonce.payments.v1.PaymentService/CreatePayment");
    expect(methods).toContain("payonce.sandbox.v1.SandboxProcessorService/ListEffects");
    expect(methods).toContain("grpc.health.v1.Health/Check");
  });

  it("calls a method", async () => {
    const url = `http://${server.address}/grpc.health.v1.Health/Check`;
    expect(JSON.parse(await curl("-d", "{}", url))).toEqual({ status: "SERVING" });
  });
});
