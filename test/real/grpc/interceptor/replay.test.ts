import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { compressionAlgorithms, Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  EchoRequestSchema,
  EchoResponseSchema,
  EchoService,
} from "../../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import {
  detailsOf,
  echo,
  echoed,
  serveEcho,
  withoutReplayMark,
} from "../../../fixtures/echo/grpc.js";
import {
  countingHandler,
  type EchoHandler,
  gate,
  response,
} from "../../../fixtures/echo/handlers.js";

describe("a repeated call", () => {
  it("gets the first answer byte for byte, headers and trailers too", async () => {
    const act: EchoHandler = (call, callback) => {
      const headers = new Metadata();
      headers.add("x-tag", "one");
      headers.add("x-tag", "two");
      headers.set("x-blob-bin", Buffer.from([0, 255, 10]));
      call.sendMetadata(headers);
      const trailers = new Metadata();
      trailers.set("x-cost", "12");
      trailers.set("x-trace-bin", Buffer.from([1, 2, 3, 254]));
      callback(null, response(call.request, 1), trailers);
    };
    const { call } = await serveEcho({ act });
    const request = echo({ key: "k", text: "Zażółć", labels: { b: "2", a: "1" } });

    const first = await call(request);
    const second = await call(request);

    expect(first).toMatchObject({
      code: status.OK,
      headers: { "x-tag": ["one, two"], "x-blob-bin": [Buffer.from([0, 255, 10])] },
      trailers: { "x-cost": ["12"], "x-trace-bin": [Buffer.from([1, 2, 3, 254])] },
    });
    expect(first.headers).not.toHaveProperty("idempotency-replayed");
    expect(second.headers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(second.trailers).not.toHaveProperty("idempotency-replayed");
    expect(withoutReplayMark(second)).toEqual(first);
  });

  it.each([
    ["non-ASCII", "nie ma zamówienia ☃", "nie ma zamówienia ☃"],
    ["a percent sign and a line break", "100 % gone\nfor good", "100 % gone\nfor good"],
    ["a lone surrogate", "half \ud83d of it", "half \ufffd of it"],
  ])("gets the first error again, in trailers alone: %s", async (_name, details, received) => {
    const act: EchoHandler = (call, callback) => {
      call.sendMetadata(new Metadata()); // held back, as the status is not known yet
      const metadata = new Metadata();
      metadata.set("x-order-bin", Buffer.from([9, 0]));
      callback({ code: status.NOT_FOUND, details, metadata });
    };
    const { call } = await serveEcho({ act });

    const first = await call(echo({ key: "k" }));
    const second = await call(echo({ key: "k" }));

    expect(first).toEqual({
      headers: undefined,
      message: undefined,
      code: status.NOT_FOUND,
      details: received,
      trailers: {
        "content-type": ["application/grpc+proto"],
        "x-order-bin": [Buffer.from([9, 0])],
        "grpc-retry-pushback-ms": ["-1"],
      },
    });
    expect(second.trailers).toHaveProperty("idempotency-replayed", ["true"]);
    expect(withoutReplayMark(second)).toEqual(first);
  });

  it("gets an answer of 3 MB again", async () => {
    const payload = Buffer.alloc(3 * 1024 * 1024, "payload");
    const { call } = await serveEcho({
      act: (_call, callback) => callback(null, create(EchoResponseSchema, { payload })),
    });
    const first = await call(echo({ key: "k" }));
    const second = await call(echo({ key: "k" }));
    expect(echoed(first).payload.length).toBe(payload.length);
    expect(second.message?.equals(first.message ?? Buffer.alloc(0))).toBe(true);
  });

  it("is the same call when compressed, or encoded in another order", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler });
    const compressed = await serveEchoClientOf(call);
    const labels = { a: "1", b: "2" };
    const first = await call(echo({ key: "k", text: "t", labels }));
    expect(first.code).toBe(status.OK);
    for (const request of [
      echo({ key: "k", text: "t", labels: { b: "2", a: "1" } }),
      echo({ idempotencyKey: "k", text: "t", labels }),
    ]) {
      expect((await compressed(request)).message).toEqual(first.message);
      expect((await call(request)).message).toEqual(first.message);
    }
    expect(counter.executions).toBe(1);
  });
});
