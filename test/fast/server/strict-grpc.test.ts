import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createFlagCheck,
  headersProblem,
  readableHeaders,
} from "../../../src/server/strict-grpc.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";
import { framed } from "../../support/calls/hostile-grpc.js";

const correct = { ":method": "POST", te: "trailers", "grpc-timeout": "20S" };

describe("the headers of a call", () => {
  it.each([{}, { "grpc-timeout": undefined }, { "grpc-timeout": "99999999n" }])(
    "are as %j",
    (part) => {
      expect(headersProblem({ ...correct, ...part })).toBeUndefined();
    },
  );

  it.each([
    { ":method": "GET" },
    { te: undefined },
    { te: "gzip" },
    { "grpc-timeout": "" },
    { "grpc-timeout": "20" },
    { "grpc-timeout": "20 S" },
    { "grpc-timeout": "123456789S" },
    { "grpc-timeout": "-1S" },
    { "grpc-timeout": "1S, 2S" },
    { "grpc-timeout": "x1S" },
  ])("are not as %j", (part) => {
    expect(headersProblem({ ...correct, ...part })).toEqual(expect.any(String));
  });

  it("lose what metadata cannot have, and a key becomes one that is not valid", () => {
    const headers = { ...correct, a: "plain", b: "\t", c: "é", "d-bin": "é" };
    expect(readableHeaders(headers)).toEqual({ ...correct, a: "plain", "d-bin": "é" });
    expect(readableHeaders({ "idempotency-key": "k\x7f" })).toEqual({ "idempotency-key": "" });
    expect(readableHeaders(correct)).toBe(correct);
  });
});

describe("a timeout", () => {
  it.each([
    ["99999999H", "24H"],
    ["99999999S", "24H"],
    ["00000025H", "24H"],
    ["00000001S", "00000001S"],
    ["86400S", "86400S"],
    ["99999999m", "99999999m"],
  ])("%s is taken as %s", (sent, taken) => {
    expect(readableHeaders({ "grpc-timeout": sent })).toEqual({ "grpc-timeout": taken });
  });
});

describe("the flags before messages", () => {
  const chunks = (bytes: Buffer, size: number) =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );

  it("are found wherever the chunks are cut", { timeout: PROPERTY_TIMEOUT_MS }, () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        messages,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 2, max: 255 }),
        (all, size, flag) => {
          const good = Buffer.concat(all.map((message) => framed(message)));
          const check = createFlagCheck({});
          expect(chunks(good, size).map(check).filter(Boolean)).toEqual([]);
          expect(check(framed(new Uint8Array(), flag))).toContain("0 or 1");
        },
      ),
    );
  });

  it("a compressed message needs its encoding", () => {
    const message = framed(Buffer.from("x"), 1);
    expect(createFlagCheck({})(message)).toContain("grpc-encoding");
    expect(createFlagCheck({ "grpc-encoding": "identity" })(message)).toContain("grpc-encoding");
    expect(createFlagCheck({ "grpc-encoding": "gzip" })(message)).toBeUndefined();
  });
});
