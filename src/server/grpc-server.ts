import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createHealth } from "../grpc/health.js";
import { idempotencyInterceptor, idempotent, serviceImplementation } from "../grpc/index.js";
import { reflectionServices } from "../grpc/reflection.js";
import { createConnections } from "../runtime/connections.js";
import { formatAddress } from "./config.js";
import { guardStreams } from "./guarded-streams.js";
import { certificateOf } from "./identity.js";
import { type Listening, listen } from "./listening.js";
import {
  type ListeningServer,
  MAX_REQUEST_BYTES,
  type ServedServices,
  UNFINISHED_BYTES,
} from "./served-services.js";
import { createShedder } from "./shedding.js";
import { isForged, type Tls, tlsOptions } from "./tls.js";
import { createUnfinishedRequests } from "./unfinished-requests.js";

/** They have no keys, and answer whoever can connect. */
const PASSED_THROUGH = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/**
 * The time that a connection may take to begin its first request, as a multiple
 * of the time for a whole one. Twice, so that a busy process does not close what it has yet to read.
 */
const SILENT_TIMEOUTS = 2;

/** After how long a connection without calls is closed, with a word to its peer. Milliseconds. */
const IDLE_CONNECTION_MS = 5 * 60_000;

/** Serves the services over gRPC, with health checking and reflection. */
export async function startGrpcServer<Transaction>(
  options: ServedServices<Transaction>,
): Promise<ListeningServer> {
  const { config, services, defaults } = options;
  const server = new Server({
    interceptors: [protection(options)],
    "grpc.enable_channelz": 0, // counts every call and message, and nobody asks
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.max_concurrent_streams": config.maxStreamsPerConnection,
    "grpc.max_connection_idle_ms": IDLE_CONNECTION_MS,
  });
  for (const { service, handlers, validators } of services) {
    const definition = idempotent(service, {
      defaults,
      maxRequestBytes: MAX_REQUEST_BYTES,
      ...(validators && { validators }),
    });
    server.addService(definition, serviceImplementation(service, handlers));
  }
  for (const { definition, implementation } of reflectionServices(
    services.map(({ service }) => service),
  )) {
    server.addService(definition, implementation);
  }
  const health = createHealth(services.map(({ service }) => service.typeName));
  health.addTo(server);
  // grpc-js keeps its connections to itself, and waits for peers that never hang
  // up. So the connections are accepted, and at last closed, out here.
  const connections = createConnections({
    max: config.maxConnections,
    maxPerPeer: config.maxConnectionsPerPeer,
    silentMs: SILENT_TIMEOUTS * config.requestTimeoutMs,
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const unfinished = createUnfinishedRequests({
    ...UNFINISHED_BYTES,
    timeoutMs: config.requestTimeoutMs,
  });
  guardStreams(server, {
    unfinished,
    onFirstRequest: connections.heardFrom,
    shed: createShedder(options),
  });
  const accept = decrypting(options.tls, (socket) => injector.injectConnection(socket));
  const accepting = await bind(options, (socket) => {
    if (connections.add(socket)) {
      accept(socket);
    }
  });
  health.serving();
  return {
    address: { host: config.grpcListen.host, port: accepting.port },
    stop() {
      health.draining();
      const closed = accepting.close().finally(unfinished.stop);
      server.tryShutdown(() => {}); // tells each peer to make no new calls on its connection
      return closed;
    },
    connections,
  };
}

function protection<Transaction>({ executor, authenticator }: ServedServices<Transaction>) {
  return idempotencyInterceptor({
    executor,
    passThrough: PASSED_THROUGH,
    authenticate(metadata, call) {
      // Present only where it was verified.
      const { sslPeerCertificate } = call.getAuthContext();
      return authenticator({
        authorization: metadata.get("authorization").map(String)[0],
        certificate: sslPeerCertificate && certificateOf(sslPeerCertificate),
        peer: call.getPeer(),
      });
    },
  });
}

async function bind(
  { config }: Pick<ServedServices<unknown>, "config">,
  onConnection: Parameters<typeof listen>[1],
): Promise<Listening> {
  try {
    return await listen(config.grpcListen, onConnection);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`GRPC_LISTEN: cannot listen on ${formatAddress(config.grpcListen)}: ${reason}`);
  }
}

/**
 * Ends TLS before gRPC begins, where it is configured: of a client's certificate
 * grpc-js knows only that it is required, or not asked for.
 */
function decrypting(
  tls: Tls | undefined,
  onConnection: (socket: Socket) => void,
): (socket: Socket) => void {
  if (tls === undefined) {
    return onConnection;
  }
  const server = createTlsServer({ ...tlsOptions(tls), ALPNProtocols: ["h2"] });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {}); // a peer that breaks off
    if (isForged(socket)) {
      socket.destroy();
    } else {
      onConnection(socket);
    }
  });
  return (socket) => {
    server.emit("connection", socket);
  };
}
