import { base64Decode } from "@bufbuild/protobuf/wire";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { RequestInvalid } from "../idempotency/request/request-limits.js";

/** Returns true if Connect lets a method be called by GET, its message in the query. */
export function isByQuery({ method }: UniversalHandler, request: UniversalServerRequest): boolean {
  return (
    request.method === "GET" &&
    method.methodKind === "unary" &&
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  );
}

/**
 * The same request with its message as a body (https://connectrpc.com/docs/protocol,
 * "Unary-Get-Request"), so that it is read, and refused, like every other.
 */
export function withBody(request: UniversalServerRequest): UniversalServerRequest {
  const query = new URL(request.url).searchParams;
  const header = new Headers(request.header);
  header.set("content-type", `application/${query.get("encoding") === "json" ? "json" : "proto"}`);
  const compression = query.get("compression");
  if (compression !== null) {
    header.set("content-encoding", compression);
  }
  return { ...request, method: "POST", header, body: messageOf(query) };
}

async function* messageOf(query: URLSearchParams): AsyncIterable<Uint8Array> {
  if (!ENCODINGS.has(query.get("encoding") ?? "")) {
    throw new RequestInvalid("a query names its encoding: json or proto");
  }
  const message = query.get("message") ?? "";
  if (query.get("base64") !== "1") {
    yield Buffer.from(message);
    return;
  }
  try {
    yield base64Decode(message);
  } catch {
    throw new RequestInvalid("the message of a query with base64=1 must be base64");
  }
}

const ENCODINGS: ReadonlySet<string> = new Set(["json", "proto"]);
