import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { errorInfoOf, isDefinite } from "../../../clients/typescript/src/definite.js";
import { isReplayed } from "../../../clients/typescript/src/replayed.js";
import { toConnectError } from "../../../src/connect/errors.js";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { toServiceError } from "../../../src/grpc/errors.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import {
  CallError,
  type ErrorDescription,
  refusal,
} from "../../../src/idempotency/answers/errors.js";

const transports = [
  { name: "Connect", errorOf: (error: ErrorDescription) => toConnectError(new CallError(error)) },
  { name: "grpc-js", errorOf: (error: ErrorDescription) => toServiceError(new CallError(error)) },
];

const unauthenticated: ErrorDescription = {
  code: Code.UNAUTHENTICATED,
  reason: "CALLER_UNAUTHENTICATED",
  message: "the bearer token is not known",
  next: "fix_request",
};

describe.each(transports)("an error of $name", ({ errorOf }) => {
  it("tells its reason", () => {
    expect(errorInfoOf(errorOf(refusal("OUTCOME_UNKNOWN", "")))).toMatchObject({
      reason: "OUTCOME_UNKNOWN",
      domain: "payonce",
      metadata: { next: "retry_same_key" },
    });
  });

  it("is definite if no retry helps", () => {
    expect(isDefinite(errorOf(refusal("IDEMPOTENCY_KEY_REUSED", "")))).toBe(true);
    expect(isDefinite(errorOf(refusal("IDEMPOTENCY_KEY_EXPIRED", "")))).toBe(true);
  });

  it("is not definite if a retry may help, or only the caller is wrong", () => {
    expect(isDefinite(errorOf(refusal("REQUEST_IN_PROGRESS", "")))).toBe(false);
    expect(isDefinite(errorOf(refusal("OUTCOME_UNKNOWN", "")))).toBe(false);
    expect(isDefinite(errorOf(refusal("OUTCOME_UNKNOWN", "", { next: "look_up" })))).toBe(false);
    expect(isDefinite(errorOf(unauthenticated))).toBe(false);
  });
});

describe("an error that no service has sent", () => {
  it.each([
    new ConnectError("the connection broke"),
    Object.assign(new Error("14 UNAVAILABLE"), { code: 14, metadata: new Metadata() }),
    Object.assign(new Error("garbage"), { metadata: withDetails(Buffer.from([255, 255])) }),
    new Error("another"),
    "no error at all",
  ])("is not definite: %s", (error) => {
    expect(errorInfoOf(error)).toBeUndefined();
    expect(isDefinite(error)).toBe(false);
  });

  it("is not definite if the service is not one of ours", () => {
    const info = create(ErrorInfoSchema, { domain: "acme", reason: "NO" });
    const details = [anyPack(ErrorInfoSchema, info)];
    const metadata = withDetails(
      Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code: 9, details }))),
    );
    expect(isDefinite(Object.assign(new Error("9"), { code: 9, metadata }))).toBe(false);
  });
});

describe("a replay", () => {
  it("is seen in the headers of Connect and in the metadata of grpc-js", () => {
    const metadata = new Metadata();
    metadata.set("idempotency-replayed", "true");
    expect(isReplayed(metadata)).toBe(true);
    expect(isReplayed(new Headers({ "idempotency-replayed": "true" }))).toBe(true);
  });

  it("is not seen where it is not", () => {
    expect(isReplayed(new Metadata())).toBe(false);
    expect(isReplayed(new Headers())).toBe(false);
  });
});

function withDetails(bytes: Buffer): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", bytes);
  return metadata;
}
