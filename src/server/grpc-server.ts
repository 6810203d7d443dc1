import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createHealth, type Health } from "../grpc/health.js";
import { idempotencyInterceptor, idempotent, serviceImplementation } from "../grpc/index.js";
import { reflectionServices } from "../grpc/reflection.js";
import { formatAddress } from "./config.js";
import { drain, type StoppingServer } from "./drain.js";
import { type EdgeOptions, type ListeningServer, MAX_REQUEST_BYTES } from "./edge.js";
import type { Tls } from "./tls.js";

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
  const { host } = config.grpcListen;
  const port = await bind(server, options);
  health.serving();
  return { address: { host, port }, close: () => drain(stop(server, health), options.executor) };
}

function protection<Transaction>({ executor, authenticator }: EdgeOptions<Transaction>) {
  return idempotencyInterceptor({
    executor,
    passThrough: PASSED_THROUGH,
    authenticate(metadata, call) {
      const subject = call.getAuthContext().sslPeerCertificate?.subject.CN;
      return authenticator({
        authorization: metadata.get("authorization").map(String)[0],
        ...(typeof subject === "string" ? { certificate: { commonName: subject } } : {}),
      });
    },
  });
}

function bind(
  server: Server,
  { config, tls }: Pick<EdgeOptions<unknown>, "config" | "tls">,
): Promise<number> {
  const address = formatAddress(config.grpcListen);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, serverCredentials(tls), (error, port) => {
      if (error === null) {
        resolve(port);
      } else {
        reject(new Error(`GRPC_LISTEN: cannot listen on ${address}: ${error.message}`));
      }
    });
  });
}

function serverCredentials(tls: Tls | undefined): ServerCredentials {
  if (tls === undefined) {
    return ServerCredentials.createInsecure();
  }
  const { cert, key, clientCa } = tls;
  const pair = { cert_chain: cert, private_key: key };
  return ServerCredentials.createSsl(clientCa ?? null, [pair], clientCa !== undefined);
}

function stop(server: Server, health: Health): StoppingServer {
  health.draining();
  const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  return { ended, cutOff: () => server.forceShutdown() };
}
