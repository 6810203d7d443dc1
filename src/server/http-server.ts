import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import {
  authenticationGate,
  connectNodeListener,
  idempotent,
  ROUTER_OPTIONS,
  serviceImplementation,
} from "../connect/index.js";
import { createConnections } from "../runtime/connections.js";
import { formatAddress } from "./config.js";
import { createHostCheck } from "./http-hosts.js";
import { type Credentials, verifiedCertificate } from "./identity.js";
import type { Metrics } from "./metrics.js";
import {
  type ListeningServer,
  MAX_REQUEST_BYTES,
  type ServedServices,
  UNFINISHED_BYTES,
} from "./served-services.js";
import { isForged, tlsOptions } from "./tls.js";
import { createUnfinishedRequests, type UnfinishedRequests } from "./unfinished-requests.js";
import type { WebhookReceiver } from "./webhook-receiver.js";

const certificateKey = createContextKey<Credentials["certificate"]>(undefined);
const peerKey = createContextKey<string | undefined>(undefined);

/** The longest time between two looks of Node for requests that are late. Milliseconds. */
const LONGEST_CHECKING_MS = 5_000;

export interface HttpOptions {
  readonly metrics: Metrics;
  readonly receiveWebhook: WebhookReceiver;
}

/** Serves the services over Connect, gRPC-Web and JSON, beside /healthz and /metrics. */
export async function startHttpServer<Transaction>(
  options: ServedServices<Transaction>,
  { metrics, receiveWebhook }: HttpOptions,
): Promise<ListeningServer> {
  const { config } = options;
  const unfinished = createUnfinishedRequests({
    ...UNFINISHED_BYTES,
    timeoutMs: config.requestTimeoutMs,
  });
  const services = serviceListener(options, unfinished);
  const refusalOf = createHostCheck(config);
  const connections = createConnections({
    max: config.maxConnections,
    maxPerPeer: config.maxConnectionsPerPeer,
  });
  const responses = new Set<http.ServerResponse>();
  let isStopping = false;
  const server = createServer(options, (request, response) => {
    responses.add(response);
    response.once("close", () => responses.delete(response));
    if (isStopping) {
      endConnectionAfter(response);
    }
    if (request.url === "/healthz") {
      // Probes call any process by whatever name it has, and it tells nothing else.
      response.statusCode = isStopping ? 503 : 200;
      response.setHeader("content-type", "text/plain").end(isStopping ? "stopping\n" : "ok\n");
      return;
    }
    if (request.url === "/webhooks/stripe") {
      // Its signature says who it is from, whatever name was called.
      receiveWebhook(request, response);
      return;
    }
    const refusal = refusalOf(request.headers);
    if (refusal !== undefined) {
      // In the form of Connect's errors, which is JSON for everybody else.
      response.writeHead(403, { "content-type": "application/json" });
      response.end(JSON.stringify({ code: "permission_denied", message: refusal }));
      return;
    }
    switch (request.url) {
      case "/metrics":
        void sendMetrics(metrics, response);
        return;
      default:
        services(request, response);
    }
  });
  server.on("connection", connections.add);
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
  return {
    address,
    stop() {
      isStopping = true;
      const closed = new Promise((resolve) => server.close(resolve)).finally(unfinished.stop);
      server.closeIdleConnections();
      for (const response of responses) {
        endConnectionAfter(response);
      }
      return closed;
    },
    connections,
  };
}

/** Tells the client to send nothing more on this connection: it will be closed. */
function endConnectionAfter(response: http.ServerResponse): void {
  if (!response.headersSent) {
    response.setHeader("connection", "close");
  }
}

function serviceListener<Transaction>(
  { services, executor, defaults, authenticator, log }: ServedServices<Transaction>,
  unfinished: UnfinishedRequests,
): http.RequestListener {
  const authenticate = ({ requestHeader, values }: HandlerContext) =>
    authenticator({
      authorization: requestHeader.get("authorization") ?? undefined,
      certificate: values.get(certificateKey),
      peer: values.get(peerKey),
    });
  return connectNodeListener({
    router: ROUTER_OPTIONS,
    maxRequestBytes: MAX_REQUEST_BYTES,
    onFailure: (error) => log.error({ error: String(error) }, "an HTTP call was not answered"),
    requestGate: authenticationGate(authenticate),
    onReceiving: ({ socket }) => unfinished.begin(socket, () => socket.destroy()),
    routes(router) {
      for (const { service, handlers, validators } of services) {
        const implementation = serviceImplementation(service, handlers);
        router.service(
          service,
          idempotent(service, implementation, { executor, defaults, authenticate, validators }),
        );
      }
    },
    contextValues: (request) =>
      createContextValues()
        .set(certificateKey, verifiedCertificate(request.socket))
        .set(peerKey, `${request.socket.remoteAddress}:${request.socket.remotePort}`),
  });
}

function createServer(
  { tls, config }: Pick<ServedServices<unknown>, "tls" | "config">,
  listener: http.RequestListener,
): http.Server | https.Server {
  const { requestTimeoutMs } = config;
  const limits: http.ServerOptions = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(requestTimeoutMs, LONGEST_CHECKING_MS),
  };
  if (tls === undefined) {
    return http.createServer(limits, listener);
  }
  const server = https.createServer(
    { ...limits, handshakeTimeout: requestTimeoutMs, ...tlsOptions(tls) },
    listener,
  );
  server.on("secureConnection", (socket) => {
    if (isForged(socket)) {
      socket.destroy(); // before anything that it has sent is read
    }
  });
  return server;
}

async function sendMetrics({ registry }: Metrics, response: http.ServerResponse): Promise<void> {
  response.setHeader("content-type", registry.contentType).end(await registry.metrics());
}
