import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  Server,
  ServerCredentials,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { describe, expect, it, onTestFinished } from "vitest";
import { createHealth } from "../../../../src/grpc/health.js";
import {
  idempotencyInterceptor,
  idempotent,
  serviceDefinition,
} from "../../../../src/grpc/index.js";
import { createExecutor } from "../../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../../src/stores/memory/index.js";
import {
  EchoRequestSchema,
  EchoResponseSchema,
  EchoService,
} from "../../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { detailsOf, echo, echoed } from "../../../fixtures/echo/grpc.js";
import { countingHandler } from "../../../fixtures/echo/handlers.js";
import { createRawClient } from "../../../fixtures/echo/raw-client.js";

const ECHO = EchoService.typeName;
const HEALTH_CHECK = { path: "/grpc.health.v1.Health/Check", request: new Uint8Array() };

const loaded = loadSync("payonce/echo/v1/echo.proto", {
  includeDirs: ["test/fixtures/echo/proto", "proto"],
});

const handMade: ServiceDefinition = {
  act: {
    path: `/${ECHO}/Act`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (value) => Buffer.from(toBinary(EchoRequestSchema, value)),
    requestDeserialize: (bytes) => fromBinary(EchoRequestSchema, bytes),
    responseSerialize: (value) => Buffer.from(toBinary(EchoResponseSchema, value)),
    responseDeserialize: (bytes) => fromBinary(EchoResponseSchema, bytes),
  },
};

const unwrapped: [string, ServiceDefinition][] = [
  ["made by serviceDefinition", serviceDefinition(EchoService)],
  ["loaded by proto-loader", loaded[ECHO] as ServiceDefinition], // the file says so
  ["written by hand", handMade],
];

/** A real server with the interceptor, over the definition as it is, beside health checking. */
function serve(definition: ServiceDefinition, passThrough?: readonly string[]) {
  const executor = createExecutor({ store: createMemoryStore() });
  const options = passThrough === undefined ? { executor } : { executor, passThrough };
  return serveWith([idempotencyInterceptor(options)], definition);
}

async function serveWith(interceptors: ServerInterceptor[], definition: ServiceDefinition) {
  const { counter, handler } = countingHandler();
  const server = new Server({ interceptors });
  const watch = () => {
    counter.executions += 1;
  };
  server.addService(definition, { act: handler, watch });
  const health = createHealth([]);
  health.addTo(server);
  health.serving();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = createRawClient(port);
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  return { call: client.call, counter };
}

describe("a service that was not wrapped", () => {
  it.each(unwrapped)("and was %s is refused, and told what to do", async (_, definition) => {
    const { call, counter } = await serve(definition);
    for (const attempt of [1, 2, 3]) {
      const answer = await call(echo({ key: "k", text: "t" }));
      expect(answer, `attempt ${attempt}`).toMatchObject({
        code: status.UNIMPLEMENTED,
        headers: undefined,
        details: expect.stringMatching(/^payonce\.echo\.v1\.EchoService .*idempotent\(.*by name/),
      });
      expect(detailsOf(answer)).toMatchObject({ reason: "INTERNAL", next: "fix_request" });
      expect(answer.trailers).toHaveProperty("grpc-retry-pushback-ms", ["-1"]);
    }
    expect(counter.executions).toBe(0);
  });

  it("is refused without a key, and for a stream, too", async () => {
    const { call, counter } = await serve(serviceDefinition(EchoService));
    for (const request of [echo({}), echo({ text: "t" }, "Watch")]) {
      expect((await call(request)).code).toBe(status.UNIMPLEMENTED);
    }
    expect(counter.executions).toBe(0);
  });

  it("is let through by its full name, and by nothing less", async () => {
    const { call, counter } = await serve(serviceDefinition(EchoService), [ECHO]);
    for (const execution of [1, 2]) {
      expect(echoed(await call(echo({ key: "k" }))).execution).toBe(execution);
    }
    expect(counter.executions).toBe(2);
    for (const name of ["payonce.echo.v1", `/${ECHO}`, `${ECHO}/Act`, "EchoService", ""]) {
      const other = await serve(serviceDefinition(EchoService), [name]);
      expect((await other.call(echo({ key: "k" }))).code).toBe(status.UNIMPLEMENTED);
    }
  });

  it("does not disturb one beside it that was wrapped", async () => {
    const { call, counter } = await serve(idempotent(EchoService));
    expect(detailsOf(await call(HEALTH_CHECK))).toMatchObject({ reason: "INTERNAL" });
    for (const _attempt of [1, 2]) {
      expect(echoed(await call(echo({ key: "k" }))).execution).toBe(1);
    }
    expect(counter.executions).toBe(1);
  });
});

describe("a service that was wrapped, on a server without the interceptor", () => {
  it("executes nothing", async () => {
    const { call, counter } = await serveWith([], idempotent(EchoService));
    for (const _attempt of [1, 2]) {
      // grpc-js keeps the reason to itself, unless GRPC_NODE_DEBUG_SEND_ERROR_DETAILS is set.
      expect((await call(echo({ key: "k" }))).code).toBe(status.INTERNAL);
    }
    expect(counter.executions).toBe(0);
  });
});

describe("a name to pass through", () => {
  it("lets health checks through beside a service that is protected", async () => {
    const { call } = await serve(idempotent(EchoService), ["grpc.health.v1.Health"]);
    expect((await call(HEALTH_CHECK)).code).toBe(status.OK);
  });

  it("takes no protection from a service that was wrapped", async () => {
    const { call, counter } = await serve(idempotent(EchoService), [ECHO]);
    for (const _attempt of [1, 2]) {
      expect(echoed(await call(echo({ key: "k" }))).execution).toBe(1);
    }
    expect(counter.executions).toBe(1);
  });
});
