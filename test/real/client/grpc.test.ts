import { create } from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import {
  type GrpcClientOptions,
  grpcInterceptor,
  NATIVE_RETRIES_OFF,
  withReport,
} from "../../../clients/typescript/src/grpc.js";
import type { CallReport } from "../../../clients/typescript/src/options.js";
import {
  CreatePaymentRequestSchema,
  type CreatePaymentResponse,
  CreatePaymentResponseSchema,
  GetPaymentRequestSchema,
  GetPaymentResponseSchema,
  PaymentService,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { serviceDefinition } from "../../../src/grpc/definition.js";
import { waitUntil } from "../../support/service/service-process.js";

const METHOD = "payonce.payments.v1.PaymentService/CreatePayment";
const definition = serviceDefinition(PaymentService);

/** A call that needs a key, and one that does not. */
const creation = {
  definition: definition.createPayment,
  request: create(CreatePaymentRequestSchema),
};
const reading = { definition: definition.getPayment, request: create(GetPaymentRequestSchema) };

/** For what happens at once, on a busy machine too. */
const SOON_MS = 5_000;

/** What happens to one attempt. */
type Reply = (call: ServerUnaryCall<unknown, unknown>) => Partial<ServiceError> | "hang" | "ok";

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

/** A client of a service in this process, and the keys that have arrived there. */
async function open(replies: readonly Reply[], options: Partial<GrpcClientOptions> = {}) {
  const keys: string[][] = [];
  const server = new Server();
  const answer =
    (response: unknown) =>
    (
      call: ServerUnaryCall<unknown, unknown>,
      callback: (error: Partial<ServiceError> | null, response?: unknown) => void,
    ) => {
      const reply = replies[keys.length] ?? (() => "ok" as const);
      keys.push(call.metadata.get("idempotency-key").map(String));
      const outcome = reply(call);
      if (outcome === "ok") {
        callback(null, response);
      } else if (outcome !== "hang") {
        callback(outcome);
      }
    };
  server.addService(definition, {
    createPayment: answer(create(CreatePaymentResponseSchema, { payment: { id: "pay_1" } })),
    getPayment: answer(create(GetPaymentResponseSchema)),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    ...NATIVE_RETRIES_OFF,
    interceptors: [
      grpcInterceptor({ services: [PaymentService], initialBackoffMs: 10, ...options }),
    ],
  });
  closers.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return { client, keys };
}

interface Sent {
  readonly call: ClientUnaryCall;
  readonly ended: Promise<{ code: status; details: string; response?: CreatePaymentResponse }>;
}

function send(
  client: Client,
  more: {
    readonly method?: typeof creation | typeof reading;
    readonly metadata?: Metadata;
    readonly options?: CallOptions;
  } = {},
): Sent {
  const { method = creation, metadata = new Metadata(), options = {} } = more;
  const { definition, request } = method;
  if (definition === undefined) {
    throw new Error("the service has no such method");
  }
  const { promise, resolve } = withResolvers<Awaited<Sent["ended"]>>();
  const call = client.makeUnaryRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    request,
    metadata,
    options,
    (error, response?: CreatePaymentResponse) =>
      resolve(
        error === null
          ? { code: status.OK, details: "", ...(response === undefined ? {} : { response }) }
          : error,
      ),
  );
  return { call, ended: promise };
}

function withResolvers<Value>() {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

function fails(code: status, pushbackMs?: number): Reply {
  return () => {
    const metadata = new Metadata();
    if (pushbackMs !== undefined) {
      metadata.set("grpc-retry-pushback-ms", String(pushbackMs));
    }
    return { code, details: "scripted", metadata };
  };
}

describe("a call of grpc-js", () => {
  it("keeps one key over its attempts, and reports to its client and its caller", async () => {
    const toClient: CallReport[] = [];
    const toCaller: CallReport[] = [];
    const { client, keys } = await open([fails(status.UNAVAILABLE), fails(status.ABORTED)], {
      newKey: ({ method }) => `key of ${method}`.replaceAll(" ", "-"),
      onReport: (report) => toClient.push(report),
    });
    const key = `key-of-${METHOD}`;
    const options = withReport((report) => toCaller.push(report));
    const { code, response } = await send(client, { options }).ended;
    expect(code).toBe(status.OK);
    expect(response?.payment?.id).toBe("pay_1");
    expect(keys).toEqual([[key], [key], [key]]);
    expect(toCaller).toEqual([{ method: METHOD, key, attempts: 3, replayed: false }]);
    expect(toClient).toEqual(toCaller);
  });

  it("leaves the metadata of its caller as it is", async () => {
    const { client } = await open([]);
    const metadata = new Metadata();
    await send(client, { metadata }).ended;
    expect(metadata.getMap()).toEqual({});
  });

  it("is left alone if it needs no key", async () => {
    const { client, keys } = await open([fails(status.UNAVAILABLE)]);
    const { code } = await send(client, { method: reading }).ended;
    expect(code).toBe(status.UNAVAILABLE);
    expect(keys).toEqual([[]]);
  });

  it("gets a key where a function says so, without descriptors", async () => {
    const asked: string[] = [];
    const { client, keys } = await open([], {
      services: [],
      needsKey(method: string) {
        asked.push(method);
        return method.endsWith("/CreatePayment");
      },
    });
    await send(client).ended;
    await send(client, { method: reading }).ended;
    expect(keys).toEqual([[expect.stringMatching(/^[0-9a-f-]{36}$/)], []]);
    expect(asked).toContain(METHOD);
  });

  it("cannot be made where nothing says which calls need a key", () => {
    expect(() => grpcInterceptor({})).toThrow("one of services and needsKey must be given");
  });

  it("ends with INTERNAL, unsent, if the function for its key throws", async () => {
    const { client, keys } = await open([], {
      newKey() {
        throw new Error("no business key");
      },
    });
    expect(await send(client).ended).toMatchObject({
      code: status.INTERNAL,
      details: "no business key",
    });
    expect(keys).toEqual([]);
  });

  it("ends at once when it is cancelled, during an attempt or between two", async () => {
    const { client, keys } = await open([() => "hang", fails(status.ABORTED, 30_000)]);
    for (const arrived of [1, 2]) {
      const { call, ended } = send(client);
      await waitUntil(() => keys.length === arrived, SOON_MS);
      call.cancel();
      expect((await ended).code).toBe(status.CANCELLED);
    }
    expect(keys).toHaveLength(2);
  });

  it("ends with the call that it is made for", async () => {
    const upstream = await open([fails(status.ABORTED, 30_000)]);
    const { promise: inner, resolve } = withResolvers<Awaited<Sent["ended"]>>();
    const edge = await open([
      (parent) => {
        void send(upstream.client, { options: { parent } }).ended.then(resolve);
        return "hang";
      },
    ]);
    const outer = send(edge.client);
    await waitUntil(() => upstream.keys.length === 1, SOON_MS);
    outer.call.cancel();
    expect(await inner).toMatchObject({
      code: status.CANCELLED,
      details: "Cancelled by parent call",
    });
    expect(upstream.keys).toHaveLength(1);
  });

  it("has no more time than the call that it is made for", async () => {
    const upstream = await open([fails(status.ABORTED, 20_000)]);
    const { promise: inner, resolve } = withResolvers<Awaited<Sent["ended"]>>();
    const edge = await open([
      (parent) => {
        void send(upstream.client, { options: { parent } }).ended.then(resolve);
        return "hang";
      },
    ]);
    const outer = send(edge.client, { options: { deadline: Date.now() + 15_000 } });
    expect((await inner).code).toBe(status.ABORTED); // at once, not after the deadline
    outer.call.cancel();
    expect(upstream.keys).toHaveLength(1);
  });
});
