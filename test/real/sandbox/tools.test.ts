import { beforeAll, describe, expect, it } from "vitest";
import { GRPCURL_BUILD_LIMIT_MS, grpcurl, grpcurlAvailable } from "../../support/grpcurl.js";
import { runSandbox } from "./support.js";

const SERVICE = "payonce.sandbox.v1.SandboxProcessorService";

describe.skipIf(!grpcurlAvailable)("grpcurl, without a proto file", () => {
  beforeAll(async () => {
    await grpcurl(["-version"]);
  }, GRPCURL_BUILD_LIMIT_MS);

  async function start() {
    const { sandbox } = await runSandbox();
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await grpcurl(["-plaintext", ...args]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    return {
      list: () => run(sandbox.address, "list"),
      call: async (method: string, request: object = {}) =>
        JSON.parse(await run("-d", JSON.stringify(request), sandbox.address, method)),
    };
  }

  it("lists what the sandbox serves", async () => {
    const { list } = await start();
    expect((await list()).trim().split("\n")).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      SERVICE,
    ]);
  });

  it("arms a fault, which meets the next call", async () => {
    const { call } = await start();
    const authorize = (number: number) =>
      call(`${SERVICE}/Authorize`, {
        processor_key: `key-${number}`,
        payment_id: `payment-${number}`,
        amount: { currency_code: "EUR", minor_units: "1000" },
        payment_method: "tok_visa",
      });
    const fault = { action: "FAULT_ACTION_DECLINE", decline_code: "lost_card" };
    expect(await call(`${SERVICE}/SetFaults`, { faults: [fault] })).toEqual({});
    expect(await authorize(1)).toEqual({ result: { declined: { declineCode: "lost_card" } } });
  });

  it("asks whether the sandbox is healthy", async () => {
    const { call } = await start();
    expect(await call("grpc.health.v1.Health/Check")).toEqual({ status: "SERVING" });
    expect(await call("grpc.health.v1.Health/Check", { service: SERVICE })).toEqual({
      status: "SERVING",
    });
    expect(await call("grpc.health.v1.Health/List")).toEqual({
      statuses: { "": { status: "SERVING" }, [SERVICE]: { status: "SERVING" } },
    });
  });
});
