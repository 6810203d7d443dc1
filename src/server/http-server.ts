import { once } from "node:events";
import { readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  authenticationGate,
  idempotent,
  ROUTER_OPTIONS,
  serviceImplementation,
} from "../connect/index.js";
import { type Config, formatAddress } from "./config.js";
import type { EdgeOptions, ListeningServer } from "./edge.js";
import type { Credentials } from "./identity.js";
import type { Metrics } from "./metrics.js";

/** How long calls under way may take to end before they are cut off. Milliseconds. */
const DRAIN_LIMIT_MS = 30_000;

type Certificate = Credentials["certificate"];

const certificateKey = createContextKey<Certificate>(undefined);

/** Serves the services over Connect, gRPC-Web and JSON, beside /healthz and /metrics. */
export async function startHttpServer<Transaction>(
  options: EdgeOptions<Transaction>,
  metrics: Metrics,
): Promise<ListeningServer> {
  const { config } = options;
  const services = serviceListener(options);
  const server = await createServer(config, (request, response) => {
    switch (request.url) {
      case "/healthz":
        response.setHeader("content-type", "text/plain").end("ok\n");
        return;
      case "/metrics":
        void sendMetrics(metrics, response);
        return;
      default:
        services(request, response);
    }
  });
  const { host, port } = config.httpListen;
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`HTTP_LISTEN: cannot listen on ${formatAddress(config.httpListen)}: ${reason}`);
  }
  // A TCP server's address is never a string.
  const address = { host, port: (server.address() as AddressInfo).port };
  return { address, close: () => drain(server) };
}

function serviceListener<Transaction>({
  services,
  executor,
  defaults,
  authenticator,
}: EdgeOptions<Transaction>): http.RequestListener {
  const authenticate = ({ requestHeader, values }: HandlerContext) =>
    authenticator({
      authorization: requestHeader.get("authorization") ?? undefined,
      certificate: values.get(certificateKey),
    });
  return connectNodeAdapter({
    ...ROUTER_OPTIONS,
    requestGate: authenticationGate(authenticate),
    routes(router) {
      for (const { service, handlers } of services) {
        const implementation = serviceImplementation(service, handlers);
        router.service(
          service,
          idempotent(service, implementation, { executor, defaults, authenticate }),
        );
      }
    },
    contextValues: (request) =>
      createContextValues().set(certificateKey, certificateOf(request.socket)),
  });
}

function certificateOf(socket: unknown): Certificate {
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    return undefined;
  }
  const { subject } = socket.getPeerCertificate();
  return typeof subject?.CN === "string" ? { commonName: subject.CN } : undefined;
}

async function createServer(
  { tlsCertFile, tlsKeyFile, tlsClientCaFile }: Config,
  listener: http.RequestListener,
): Promise<http.Server | https.Server> {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    return http.createServer(listener);
  }
  const clientCa = tlsClientCaFile === undefined ? {} : { ca: await readFile(tlsClientCaFile) };
  return https.createServer(
    {
      cert: await readFile(tlsCertFile),
      key: await readFile(tlsKeyFile),
      requestCert: tlsClientCaFile !== undefined,
      rejectUnauthorized: tlsClientCaFile !== undefined,
      ...clientCa,
    },
    listener,
  );
}

async function sendMetrics({ registry }: Metrics, response: http.ServerResponse): Promise<void> {
  response.setHeader("content-type", registry.contentType).end(await registry.metrics());
}

async function drain(server: http.Server | https.Server): Promise<void> {
  const limit = setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT_MS);
  server.close();
  server.closeIdleConnections();
  await once(server, "close");
  clearTimeout(limit);
}
