import { EventEmitter } from "node:events";
import {
  constants,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { toMetadata } from "../grpc/metadata.js";
import { type ErrorDescription, refusal } from "../idempotency/answers/errors.js";
import { refusedReply } from "../idempotency/answers/reply.js";
import { requestInvalid } from "../idempotency/execution/serve.js";
import type { Peer } from "../runtime/connections.js";
import type { Shedder } from "./shedding.js";
import { createFlagCheck, headersProblem, readableHeaders } from "./strict-grpc.js";
import type { GivenUp, UnfinishedRequests } from "./unfinished-requests.js";

export interface StreamGuard {
  readonly unfinished: UnfinishedRequests;
  /** A peer has begun its first request. */
  readonly onFirstRequest: (peer: Peer) => void;
  readonly shed: Shedder;
}

/** The time after which to try again after a refusal for memory's sake. Milliseconds. */
const RETRY_DELAY_MS = 1_000;

const refusals: Record<GivenUp, ErrorDescription> = {
  late: refusal("NOT_EXECUTED", "the request was not complete in time, and nothing was done"),
  too_much: refusal("OVERLOADED", "too much of requests that are not complete is held", {
    retryDelayMs: RETRY_DELAY_MS,
  }),
};

/**
 * Stands before grpc-js and looks at each stream of its connections: whether
 * the rules of gRPC are kept, and what is held for requests that are not
 * complete. Call it after `createConnectionInjector`, before any connection.
 */
export function guardStreams(server: Server, guard: StreamGuard): void {
  const http2Server = http2ServerOf(server);
  const handlers = http2Server.listeners("stream");
  http2Server.removeAllListeners("stream");
  const heard = new WeakSet<Http2Session>();
  http2Server.on("stream", (stream: ServerHttp2Stream, received: IncomingHttpHeaders) => {
    const { session } = stream;
    if (session === undefined) {
      return; // the connection has ended
    }
    stream.on("error", () => {}); // a reset; grpc-js hears of the close
    const problem = headersProblem(received);
    if (problem !== undefined) {
      refuse(stream, requestInvalid(problem));
      return;
    }
    if (!heard.has(session)) {
      heard.add(session);
      guard.onFirstRequest(session.socket);
    }
    const shed = guard.shed(received, session);
    if (shed !== undefined) {
      refuse(stream, shed);
      return;
    }
    watch(stream, received, guard.unfinished);
    const headers = readableHeaders(received);
    for (const handle of handlers) {
      handle.call(http2Server, stream, headers);
    }
  });
}

/** Watches a request until it is complete. */
function watch(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  unfinished: UnfinishedRequests,
): void {
  const request = unfinished.begin(stream.session ?? stream, (why) =>
    refuse(stream, refusals[why]),
  );
  const flagProblem = createFlagCheck(headers);
  let isComplete = false;
  // Before grpc-js listens, so that it never gets what is refused here.
  stream.on("data", (chunk: Buffer) => {
    if (stream.closed) {
      return; // answered; what comes after is only drained
    }
    const problem = flagProblem(chunk);
    if (problem === undefined) {
      request.received(chunk.length);
    } else {
      refuse(stream, requestInvalid(problem));
    }
  });
  stream.pause(); // grpc-js says when to begin
  stream.once("end", () => {
    isComplete = true;
    request.end();
  });
  stream.once("close", request.end);
  // Answered before the request was complete: what is left of it need not be sent (RFC 9113, 8.1).
  stream.once("finish", () => {
    if (!isComplete) {
      stream.close(constants.NGHTTP2_NO_ERROR);
    }
  });
}

/** Answers in grpc-js's place, or cuts off where an answer has begun. */
function refuse(stream: ServerHttp2Stream, error: ErrorDescription): void {
  if (stream.closed || stream.destroyed) {
    return;
  }
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL);
    return;
  }
  stream.respond(headersOf(error), { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** The encoded headers of each refusal, which are sent again and again. */
const knownHeaders = new WeakMap<ErrorDescription, OutgoingHttpHeaders>();

function headersOf(error: ErrorDescription): OutgoingHttpHeaders {
  const known = knownHeaders.get(error);
  if (known !== undefined) {
    return known;
  }
  const { code, message, trailers } = refusedReply(error);
  const headers = {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": encodeURI(message),
    ...toMetadata(trailers).toHttp2Headers(),
  };
  knownHeaders.set(error, headers);
  return headers;
}

/**
 * grpc-js keeps its HTTP/2 server to itself, and has no hook before it has
 * printed and dropped what it does not like, nor one for bytes.
 * @throws if a version of grpc-js keeps it elsewhere: rather no start than no guard.
 */
function http2ServerOf(server: Server): Http2Server {
  const servers: unknown = Reflect.get(server, "http2Servers");
  const [found]: unknown[] = servers instanceof Map ? [...servers.keys()] : [];
  if (!(found instanceof EventEmitter) || found.listenerCount("stream") === 0) {
    throw new TypeError("this version of grpc-js keeps its HTTP/2 server elsewhere");
  }
  return found as Http2Server; // what else emits streams
}
