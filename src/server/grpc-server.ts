import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createHealth } from "../grpc/health.js";
import { idempotencyInterceptor, idempotent, serviceImplementation } from "../grpc/index.js";
import { reflectionServices } from "../grpc/reflection.js";
import { createConnections } from "../runtime/connections.js";
import { formatAddress } from "./config.js";
import { type EdgeOptions, type ListeningServer, MAX_REQUEST_BYTES } from "./edge.js";
import { certificateOf } from "./identity.js";
import { type Listening, listen } from "./listening.js";
import { isForged, type Tls, tlsOptions } from "./tls.js";

/** They have no keys, and answer whoever can connect. */
const PASSED_THROUGH = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/** Serves the services over gRPC, with health checking and reflection. */
export async function startGrpcServer<Transaction>(
  options: EdgeOptions<Transaction>,
): Promise<ListeningServer> {
  const { config, services, defaults } = options;
  const server = new Server({
    interceptors: [protection(options)],
    "grpc.enable_channelz": 0, // counts every call and message, and nobody asks
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
  const connections = createConnections();
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const accept = decrypting(options.tls, (socket) => injector.injectConnection(socket));
  const accepting = await bind(options, (socket) => {
    connections.add(socket);
    accept(socket);
  });
  health.serving();
  return {
    address: { host: config.grpcListen.host, port: accepting.port },
    stop() {
      health.draining();
      const closed = accepting.close();
      server.tryShutdown(() => {}); // tells each peer to make no new calls on its connection
      return closed;
    },
    connections,
  };
}

function protection<Transaction>({ executor, authenticator }: EdgeOptions<Transaction>) {
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
  { config }: Pick<EdgeOptions<unknown>, "config">,
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
