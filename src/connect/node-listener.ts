import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextValues,
  createHandlerContext,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import {
  type ConnectNodeAdapterOptions,
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { RequestGate } from "./authenticate.js";
import { guardedBody, readableHeaders } from "./guarded-body.js";
import { isByQuery, withBody } from "./query-request.js";

export interface NodeListenerOptions
  extends Pick<ConnectNodeAdapterOptions, "contextValues" | "routes"> {
  readonly router: Omit<ConnectNodeAdapterOptions, "contextValues" | "routes">;
  readonly requestGate?: RequestGate;
  /** The largest size of a request, also once it is decompressed. Bytes. */
  readonly maxRequestBytes: number;
  /** Is called for a request whose body is about to be read. The object that it returns hears of the body's parts and its end. */
  readonly onReceiving?: (request: IncomingMessage) => ReceivedBody;
  /** Is called where a handler fails to answer at all. */
  readonly onFailure: (error: unknown) => void;
}

export interface ReceivedBody {
  received(bytes: number): void;
  end(): void;
}

/**
 * Makes a listener for Node's HTTP servers, as `connectNodeAdapter` does; it
 * looks each request through before the request is decoded.
 */
export function connectNodeListener({
  routes,
  contextValues,
  requestGate,
  router: routerOptions,
  maxRequestBytes,
  onReceiving,
  onFailure,
}: NodeListenerOptions): RequestListener {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    ...routerOptions,
  });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (request, response) => {
    const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) {
      response.writeHead(404).end();
      return;
    }
    const received = readable(request, response);
    if (received === undefined) {
      response.writeHead(400, { connection: "close" }).end();
      return;
    }
    const guarded = guardedRequest(handler, received, request);
    handler(guarded)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error) => {
        // The caller has left.
        if (ConnectError.from(error).code !== Code.Aborted) {
          onFailure(error);
        }
      });
  };

  /** Undefined where the Host header is none: what is thrown here would end the process. */
  function readable(request: IncomingMessage, response: ServerResponse) {
    try {
      return universalRequestFromNodeRequest(
        request,
        response,
        undefined,
        contextValues?.(request) ?? createContextValues(),
      );
    } catch {
      return undefined;
    }
  }

  function guardedRequest(
    handler: UniversalHandler,
    arrived: UniversalServerRequest,
    request: IncomingMessage,
  ): UniversalServerRequest {
    const received = isByQuery(handler, arrived) ? withBody(arrived) : arrived;
    const { body } = received;
    if (received.method !== "POST" || !isStream(body)) {
      return received;
    }
    const header = readableHeaders(received.header);
    try {
      requestGate?.(contextOf(received, handler));
    } catch (error) {
      // How long it would be is nobody's concern: a protocol might refuse that first, or make room for it.
      header.delete("content-length");
      return { ...received, header, body: failing(error) };
    }
    return {
      ...received,
      header,
      body: guardedBody(
        received,
        counted(body, () => onReceiving?.(request)),
        {
          desc: handler.method.input,
          maxBytes: maxRequestBytes,
          jsonOptions: routerOptions.jsonOptions,
        },
      ),
    };
  }
}

/** A body that cannot be read. Its protocol answers with the error, as with all that is wrong with a body. */
// biome-ignore lint/correctness/useYield: it never gets so far
async function* failing(error: unknown): AsyncIterable<Uint8Array> {
  throw error;
}

/** Makes the context of a call for the gate: the handler's own is made where nobody can reach it. */
function contextOf(
  { header, method, url, signal, contextValues }: UniversalServerRequest,
  handler: UniversalHandler,
): HandlerContext {
  const [protocolName = "connect"] = /grpc(-web)?/.exec(header.get("content-type") ?? "") ?? [];
  return createHandlerContext({
    service: handler.service,
    method: handler.method,
    requestMethod: method,
    requestHeader: header,
    requestSignal: signal,
    url,
    protocolName,
    ...(contextValues && { contextValues }),
  });
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  begin: () => ReceivedBody | undefined,
): AsyncIterable<Uint8Array> {
  const counter = begin();
  try {
    for await (const part of body) {
      counter?.received(part.length);
      yield part;
    }
  } finally {
    counter?.end();
  }
}

function isStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
