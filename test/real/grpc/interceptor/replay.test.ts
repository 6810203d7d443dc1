import { create } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { serviceDefinition } from "../../../../src/grpc/index.js";
import {
  type EchoRequest,
  type EchoResponse,
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
import { callOverHttp2 } from "../../../fixtures/echo/http2-call.js";

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
      act: ((_call, callback) =>
        callback(null, create(EchoResponseSchema, { payload }))) satisfies EchoHandler,
    });
    const first = await call(echo({ key: "k" }));
    const second = await call(echo({ key: "k" }));
    expect(echoed(first).payload.length).toBe(payload.length);
    expect(second.message?.equals(first.message ?? Buffer.alloc(0))).toBe(true);
  });

  it("is the same call when compressed, encoded in another order, or with its key in the field", async () => {
    const { counter, handler } = countingHandler();
    const { call, port } = await serveEcho({ act: handler });
    const labels = { a: "1", b: "2" };
    const first = await call(echo({ key: "k", text: "t", labels }));

    const compressed = await callOverHttp2(port, echo({ key: "k", text: "t", labels }));
    const reordered = await call(echo({ key: "k", text: "t", labels: { b: "2", a: "1" } }));
    const inField = await call(echo({ idempotencyKey: "k", text: "t", labels }));

    expect(compressed.body.subarray(5)).toEqual(first.message);
    expect(reordered.message).toEqual(first.message);
    expect(inField.message).toEqual(first.message);
    expect(counter.executions).toBe(1);
  });

  it("keeps the fields that this build does not know", async () => {
    const unknown = new BinaryWriter().tag(99, WireType.LengthDelimited).string("newer").finish();
    const act: EchoHandler = (call, callback) => callback(null, unknownOf(call.request));
    const { call } = await serveEcho({ act });
    const plain = echo({ key: "k", text: "t" });
    const newer = { ...plain, request: Buffer.concat([plain.request, unknown]) };

    const first = await call(newer);
    expect(first.message).toEqual(Buffer.from(unknown));
    expect((await call(newer)).message).toEqual(first.message);
    expect(detailsOf(await call(plain)).reason).toBe("IDEMPOTENCY_KEY_REUSED");
  });

  it("is refused if it asks for something else", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler });
    await call(echo({ key: "k", text: "one" }));
    const other = await call(echo({ key: "k", text: "two" }));
    expect(other.code).toBe(status.FAILED_PRECONDITION);
    expect(detailsOf(other)).toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
      next: "fix_request",
    });
    expect(counter.executions).toBe(1);
  });

  it("is another call for another method", async () => {
    const { counter, handler } = countingHandler();
    const { call } = await serveEcho({ act: handler, actRepeatably: handler });
    await call(echo({ key: "k" }));
    await call(echo({ key: "k" }, "ActRepeatably"));
    expect(counter.executions).toBe(2);
  });
});

describe("100 duplicates at once", () => {
  it("execute once; the others are told to come back, and then get the answer", async () => {
    const { open, opened } = gate();
    const { counter, handler } = countingHandler();
    const act: EchoHandler = (call, callback) => void opened.then(() => handler(call, callback));
    const { call } = await serveEcho({ act });
    const request = echo({ key: "k", text: "t" });

    const answers = Array.from({ length: 100 }, () => call(request));
    setTimeout(open, 200);
    const first = await Promise.all(answers);

    expect(first.filter(({ code }) => code === status.OK).length).toBe(1);
    for (const answer of first.filter(({ code }) => code !== status.OK)) {
      expect(answer.code).toBe(status.ABORTED);
      expect(detailsOf(answer)).toMatchObject({
        reason: "REQUEST_IN_PROGRESS",
        next: "retry_same_key",
      });
      expect(Number(answer.trailers["grpc-retry-pushback-ms"])).toBeGreaterThanOrEqual(50);
    }
    const later = await Promise.all(Array.from({ length: 100 }, () => call(request)));
    const [answer] = first.filter(({ code }) => code === status.OK);
    expect(later.map(({ message }) => message)).toEqual(later.map(() => answer?.message));
    expect(counter.executions).toBe(1);
  });

  it("all get the answer where the method's policy lets them wait", async () => {
    const { open, opened } = gate();
    const { counter, handler } = countingHandler();
    const act: EchoHandler = (call, callback) => void opened.then(() => handler(call, callback));
    const { call } = await serveEcho({ actWhileOthersWait: act });
    const request = echo({ key: "k", text: "t" }, "ActWhileOthersWait");

    const answers = Array.from({ length: 100 }, () => call(request));
    setTimeout(open, 200);
    const received = await Promise.all(answers);

    expect(new Set(received.map(({ code }) => code))).toEqual(new Set([status.OK]));
    expect(new Set(received.map((answer) => echoed(answer).execution))).toEqual(new Set([1]));
    expect(
      received.filter(({ headers }) => headers?.["idempotency-replayed"] === undefined).length,
    ).toBe(1);
    expect(counter.executions).toBe(1);
  });
});

describe("a definition that another generator made", () => {
  it("is protected without its messages being protobuf-es", async () => {
    // Messages are plain objects of its own, as grpc-js's proto-loader makes them.
    const definition = Object.fromEntries(
      Object.entries(serviceDefinition(EchoService)).map(([name, method]) => [
        name,
        {
          ...method,
          requestDeserialize: (bytes: Buffer) => ({ bytes }),
          responseSerialize: ({ bytes }: { bytes: Buffer }) => bytes,
        },
      ]),
    );
    let executions = 0;
    const { call } = await serveEcho(
      {
        act: (call: { request: { bytes: Buffer } }, callback: (e: null, r: object) => void) => {
          executions += 1;
          callback(null, { bytes: call.request.bytes });
        },
      },
      { definition },
    );
    const request = echo({ idempotencyKey: "k", text: "t" });
    const first = await call(request);
    expect(first.message).toEqual(Buffer.from(request.request));
    expect((await call(request)).message).toEqual(first.message);
    expect(executions).toBe(1);
  });
});

/** A response of nothing but the request's unknown fields. */
function unknownOf(request: EchoRequest): EchoResponse {
  const message = create(EchoResponseSchema);
  if (request.$unknown !== undefined) {
    message.$unknown = request.$unknown;
  }
  return message;
}
