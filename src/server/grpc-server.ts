import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createHealth, type Health } from "../grpc/health.js";
import { idempotencyInterceptor, idempotent, serviceImplementation } from "../grpc/index.js";
import { reflectionServices } from "../grpc/reflection.js";
import type { Executor } from "../idempotency/executor.js";
import { type Config, formatAddress } from "./config.js";
import type { EdgeOptions, ListeningServer } from "./edge.js";

/** How long calls without side effects may go on once the server stops. Milliseconds. */
const READS_LIMIT_MS = 1_000;

/** Serves the services over gRPC, with health checking and reflection. */
export async function startGrpcServer<Transaction>(
  options: EdgeOptions<Transaction>,
): Promise<ListeningServer> {
  const { config, services, defaults } = options;
  const server = new Server({ interceptors: [protection(options)] });
  for (const { service, handlers } of services) {
    server.addService(idempotent(service, { defaults }), serviceImplementation(service, handlers));
  }
  for (const { definition, implementation } of reflectionServices(
    services.map(({ service }) => service),
  )) {
    server.addService(definition, implementation);
  }
  const health = createHealth(services.map(({ service }) => service.typeName));
  health.addTo(server);
  const { host } = config.grpcListen;
  const port = await bind(server, config);
  health.serving();
  return { address: { host, port }, close: () => drain(server, health, options.executor) };
}

function protection<Transaction>({ executor, authenticator }: EdgeOptions<Transaction>) {
  return idempotencyInterceptor({
    executor,
    authenticate(metadata, call) {
      const subject = call.getAuthContext().sslPeerCertificate?.subject.CN;
      return authenticator({
        authorization: metadata.get("authorization").map(String)[0],
        ...(typeof subject === "string" ? { certificate: { commonName: subject } } : {}),
      });
    },
  });
}

async function bind(server: Server, config: Config): Promise<number> {
  const address = formatAddress(config.grpcListen);
  const credentials = await serverCredentials(config);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) {
        resolve(port);
      } else {
        reject(new Error(`GRPC_LISTEN: cannot listen on ${address}: ${error.message}`));
      }
    });
  });
}

async function serverCredentials(config: Config): Promise<ServerCredentials> {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile } = config;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    return ServerCredentials.createInsecure();
  }
  const clientCa = tlsClientCaFile === undefined ? null : await readFile(tlsClientCaFile);
  const pair = { cert_chain: await readFile(tlsCertFile), private_key: await readFile(tlsKeyFile) };
  return ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
}

/**
 * Lets the calls that execute under a key end, and those that only read have a
 * moment; then cuts off what is left, as streams that never end would be.
 */
async function drain(
  server: Server,
  health: Health,
  executor: Pick<Executor<unknown>, "drained">,
): Promise<void> {
  health.draining();
  const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([ended, executor.drained().then(() => sleep(READS_LIMIT_MS))]);
  server.forceShutdown();
}
