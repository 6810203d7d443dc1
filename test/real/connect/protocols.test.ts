import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { serviceImplementation } from "../../../src/connect/index.js";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { serviceImplementation as grpcImplementation } from "../../../src/grpc/index.js";
import { Final } from "../../../src/idempotency/answers/errors.js";
import { EchoService } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import { detailsOf, echo, echoed, serveEcho } from "../../fixtures/echo/grpc.js";
import { typedHandlers } from "../../fixtures/echo/handlers.js";
import { serveEchoOverHttp } from "../../fixtures/echo/http.js";

interface Urls {
  readonly url: string;
  readonly http2Url: string;
}

const protocols: [string, (urls: Urls) => Transport][] = [
  [
    "Connect with JSON",
    ({ url }) =>
      createConnectTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["Connect", ({ url }) => createConnectTransport({ baseUrl: url, httpVersion: "1.1" })],
  ["gRPC-Web", ({ url }) => createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" })],
  ["gRPC", ({ http2Url }) => createGrpcTransport({ baseUrl: http2Url })],
];

describe.each(protocols)("over %s", (_name, transport) => {
  /** The client that the protocol's users have, with what it heard beside the message. */
  function connect(urls: Urls) {
    const client = createClient(EchoService, transport(urls));
    return async (text: string) => {
      let headers = new Headers();
      let trailers = new Headers();
      const { $typeName: _, ...message } = await client.act(
        { text, labels: { b: "2", a: "1" } },
        {
          headers: { "idempotency-key": "k" },
          onHeader: (received) => {
            headers = received;
          },
          onTrailer: (received) => {
            trailers = received;
          },
        },
      );
      return { message, headers, trailers };
    };
  }

  it("a repeated call gets the first answer, headers and trailers too", async () => {
    let executions = 0;
    const urls = await serveEchoOverHttp({
      act({ text, labels }, { responseHeader, responseTrailer }) {
        executions += 1;
        responseHeader.set("x-tag", "one, two");
        responseHeader.set("x-name", "José");
        responseHeader.set("x-blob-bin", Buffer.from([0, 255]).toString("base64"));
        responseTrailer.set("x-cost", "12");
        return { text, labels, execution: executions, payload: Buffer.from([0, 255]) };
      },
    });
    const act = connect(urls);
    const first = await act("t");
    const second = await act("t");
    expect(first.message).toEqual({
      text: "t",
      labels: { a: "1", b: "2" },
      execution: 1,
      payload: new Uint8Array([0, 255]),
    });
    expect(second.message).toEqual(first.message);
    for (const { headers, trailers } of [first, second]) {
      expect(headers.get("x-tag")).toBe("one, two");
      expect(decodeURIComponent(headers.get("x-name") ?? "")).toBe("José");
      expect(Buffer.from(headers.get("x-blob-bin") ?? "", "base64")).toEqual(Buffer.from([0, 255]));
      expect(trailers.get("x-cost")).toBe("12");
    }
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(executions).toBe(1);
  });

  it("a repeated error is the first one again, details too", async () => {
    const handlers = typedHandlers(async () => {
      throw new Final({
        code: Code.NotFound,
        reason: "NO_SUCH_SHELF",
        message: "nie ma półki",
        next: "fix_request",
      });
    });
    const act = connect(await serveEchoOverHttp(serviceImplementation(EchoService, handlers)));
    for (const replayed of [null, "true"]) {
      const error = await act("t").then(unexpected, ConnectError.from);
      expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "nie ma półki" });
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "NO_SUCH_SHELF" }]);
      expect(error.metadata.get("grpc-retry-pushback-ms")).toBe("-1");
      expect(error.metadata.get("idempotency-replayed")).toBe(replayed);
    }
  });

  it("a stream without side effects tells its errors", async () => {
    const handlers = {
      ...typedHandlers(async ({ text }) => ({ text })),
      async *watch() {
        yield { text: "one" };
        throw new Error("secret detail");
      },
    };
    const urls = await serveEchoOverHttp(serviceImplementation(EchoService, handlers));
    const received: string[] = [];
    const watching = async () => {
      for await (const { text } of createClient(EchoService, transport(urls)).watch({})) {
        received.push(text);
      }
    };
    const error = await watching().then(unexpected, ConnectError.from);
    expect(received).toEqual(["one"]);
    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "the service failed" });
  });
});

describe("one executor behind gRPC and Connect", () => {
  const handlers = () => {
    const counter = { executions: 0 };
    return {
      counter,
      ...typedHandlers(async ({ text, labels }) => {
        counter.executions += 1;
        if (text === "fail") {
          throw new Final({
            code: Code.NotFound,
            reason: "NO_SUCH_SHELF",
            message: "no shelf",
            next: "fix_request",
          });
        }
        return { text, labels, execution: counter.executions };
      }),
    };
  };

  async function serveBoth() {
    const { counter, ...typed } = handlers();
    const grpc = await serveEcho(grpcImplementation(EchoService, typed));
    const { post } = await serveEchoOverHttp(serviceImplementation(EchoService, typed), {
      executor: grpc.executor,
    });
    return { call: grpc.call, post, counter };
  }

  const key = { "idempotency-key": "k" };

  it("replays to JSON what gRPC was answered", async () => {
    const { call, post, counter } = await serveBoth();
    const first = await call(echo({ key: "k", text: "t", labels: { b: "2", a: "1" } }));
    const second = await post("Act", { labels: { a: "1", b: "2" }, text: "t" }, key);
    expect(echoed(first)).toMatchObject({ text: "t", execution: 1 });
    expect(second.body).toEqual({ text: "t", execution: 1, labels: { a: "1", b: "2" } });
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(counter.executions).toBe(1);
  });

  it("replays to gRPC what JSON was answered", async () => {
    const { call, post, counter } = await serveBoth();
    const first = await post("Act", { text: "t", idempotencyKey: "k" });
    const second = await call(echo({ key: "k", text: "t" }));
    expect(first.body).toEqual({ text: "t", execution: 1 });
    expect(echoed(second)).toMatchObject({ text: "t", execution: 1 });
    expect(second.headers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(counter.executions).toBe(1);
  });

  it("replays errors both ways", async () => {
    const { call, post, counter } = await serveBoth();
    await call(echo({ key: "k", text: "fail" }));
    const json = await post("Act", { text: "fail" }, key);
    expect(json).toMatchObject({
      status: 404,
      body: { code: "not_found", details: [{ debug: { reason: "NO_SUCH_SHELF" } }] },
    });

    await post("ActRepeatably", { text: "fail" }, key);
    const grpc = await call(echo({ key: "k", text: "fail" }, "ActRepeatably"));
    expect(grpc).toMatchObject({ code: Code.NotFound, details: "no shelf", headers: undefined });
    expect(grpc.trailers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(detailsOf(grpc).reason).toBe("NO_SUCH_SHELF");
    expect(counter.executions).toBe(2);
  });
});

function unexpected(): never {
  throw new Error("the call should have failed");
}
