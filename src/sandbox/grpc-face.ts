import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import {
  createContextKey,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { SandboxProcessorService } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { createConnections } from "../runtime/connections.js";
import { within } from "../runtime/within.js";
import type { InterruptedCall } from "./interruptions.js";
import { bind, type ListenAddress } from "./listen.js";
import { addToolServices } from "./tool-services.js";
import { untilClosed } from "./until-closed.js";

/** One way to talk to the sandbox. */
export interface Face {
  /** host:port as it was bound. */
  readonly address: string;
  /** Accepts nothing any more. Clients that have not hung up soon after `settled` are cut off. */
  close(settled: Promise<unknown>): Promise<void>;
}

export interface GrpcFaceOptions {
  readonly listen: ListenAddress;
  readonly service: ServiceImpl<typeof SandboxProcessorService>;
  readonly shutdown: AbortSignal;
}

// All requests are a few short fields; SetFaults with every entry in use stays below 1 MiB.
const REQUEST_LIMIT_BYTES = 1024 * 1024;

// For a client to receive its last answer and to hang up; one that does not is cut off.
export const LINGER_MS = 250;

const streamKey = createContextKey<ServerHttp2Stream | undefined>(undefined);

/** Starts the sandbox's own face: gRPC over cleartext HTTP/2, with health checking and reflection. @throws ListenError */
export async function startGrpcFace({ listen, service, shutdown }: GrpcFaceOptions): Promise<Face> {
  const listener = connectNodeAdapter({
    routes(router) {
      router.service(SandboxProcessorService, service);
      addToolServices(router, { service: SandboxProcessorService, shutdown });
    },
    connect: false,
    grpcWeb: false,
    readMaxBytes: REQUEST_LIMIT_BYTES,
    contextValues: (request) =>
      createContextValues().set(streamKey, "stream" in request ? request.stream : undefined),
  });
  const server = createServer((request, response) => {
    try {
      listener(request, response);
    } catch {
      response.writeHead(400).end(); // an :authority that is none, for one
    }
  });
  const sessions = trackSessions(server);
  const connections = createConnections();
  server.on("connection", connections.add);
  const address = await bind(server, listen, "grpc");
  return {
    address,
    async close(settled) {
      const closed = closeServer(server, sessions);
      await settled;
      await within(closed, LINGER_MS);
      connections.destroyAll();
    },
  };
}

/** Finds the transport of a call. */
export function toCall({ values }: HandlerContext, shutdown: AbortSignal): InterruptedCall {
  const stream = values.get(streamKey);
  if (stream === undefined) {
    throw new Error("this face of the sandbox serves HTTP/2 only");
  }
  return {
    // The call's own stream, so that the other calls on its connection go on.
    // INTERNAL_ERROR, because clients take it for what it is: REFUSED_STREAM
    // would promise that nothing happened, CANCEL looks like their own doing.
    reset: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    untilClosed: () => untilClosed(stream, shutdown),
    shutdown,
  };
}

function trackSessions(server: Http2Server): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return sessions;
}

/** Accepts no connection and no call any more. Resolves once every client has hung up: never, where one does not. */
function closeServer(
  server: Http2Server,
  sessions: ReadonlySet<ServerHttp2Session>,
): Promise<unknown> {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const session of sessions) {
    session.close();
  }
  return closed;
}
