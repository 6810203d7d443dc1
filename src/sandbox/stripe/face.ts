import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ConnectError } from "@connectrpc/connect";
import { createConnections } from "../../runtime/connections.js";
import { within } from "../../runtime/within.js";
import type { EffectCalls } from "../effect-calls.js";
import type { ArmedFaults } from "../faults.js";
import { type Face, LINGER_MS } from "../grpc-face.js";
import { type InterruptedCall, isDropped } from "../interruptions.js";
import type { History } from "../journal.js";
import { bind, type ListenAddress } from "../listen.js";
import type { Processor } from "../processor.js";
import { untilClosed } from "../until-closed.js";
import { checkKey } from "./authentication.js";
import { newId } from "./decide.js";
import { replyOfError, StripeError } from "./errors.js";
import { createIntents } from "./intents.js";
import type { Keeper } from "./keeper.js";
import { createKeyedCalls, type KeyedReply } from "./keyed-calls.js";
import { createReads } from "./reads.js";
import { DEFAULT_VERSION, readForm, readKey, readVersion } from "./requests.js";
import { createResources } from "./resources.js";
import { createRouter } from "./routes.js";
import { createWebhook, type WebhookEndpoint } from "./webhook.js";

export interface FaceOptions {
  readonly listen: ListenAddress;
  readonly processor: Processor;
  readonly history: History;
  readonly keeper: Keeper;
  readonly calls: EffectCalls;
  readonly faults: ArmedFaults;
  readonly shutdown: AbortSignal;
  readonly now: () => Date;
  readonly searchLagMs: number;
  readonly hasMulticapture: boolean;
  readonly webhook: WebhookEndpoint | undefined;
  readonly log: (line: string) => void;
}

// Longer than any pause of a test: a client that meets a connection as it closes
// cannot know what became of its request.
const KEEP_ALIVE_MS = 600_000;

/** Starts the sandbox's face in Stripe's form: HTTP/1.1, forms in, JSON out. @throws ListenError */
export async function startStripeFace(options: FaceOptions): Promise<Face> {
  const { listen, shutdown, log } = options;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const connections = createConnections();
  server.on("connection", connections.add);
  const address = await bind(server, listen, "stripe");
  const answer = createAnswering(options, `http://${address}`);
  server.on("request", (request, response) => {
    const { socket } = request; // it is gone from a request that has ended badly
    respond({ request, response, socket }, { answer, shutdown, log }).catch((error) => {
      log(`an answer in Stripe's form cannot be written: ${String(error)}`);
      socket.destroy();
    });
  });
  return {
    address,
    async close(settled) {
      const closed = new Promise((resolve) => server.close(resolve));
      await settled;
      await within(closed, LINGER_MS);
      connections.destroyAll();
    },
  };
}

type Answering = (request: IncomingMessage, transport: InterruptedCall) => Promise<KeyedReply>;

function createAnswering(options: FaceOptions, baseUrl: string): Answering {
  const { processor, history, keeper, calls, faults, now, searchLagMs, hasMulticapture } = options;
  const { webhook: endpoint, shutdown, log } = options;
  const intents = createIntents({ history, waiting: keeper.waiting });
  const resources = createResources(baseUrl);
  const keyedCalls = createKeyedCalls({ calls, processor, intents, keeper, resources });
  const webhook = endpoint && createWebhook({ endpoint, now, shutdown, log });
  const route = createRouter(
    { processor, intents, keeper, resources, webhook, now, hasMulticapture },
    createReads({ intents, resources, faults, now, searchLagMs }),
  );

  return async (request, transport) => {
    if (request.method === "POST") {
      calls.arrive();
    }
    checkKey(request.headers.authorization);
    const version = readVersion(request);
    const key = readKey(request);
    const [path = "", ...queries] = (request.url ?? "/").split("?");
    const form = await readForm(request, queries.join("?"));
    const routed = route({ method: request.method ?? "", path, form, version });
    switch (routed.kind) {
      case "read": {
        await keyedCalls.untilDurable();
        return { reply: { status: 200, body: routed.read() }, isReplayed: false };
      }
      case "operation":
        return keyedCalls.execute({ key, path, form, operation: routed.operation, transport });
    }
  };
}

interface Responding {
  readonly answer: Answering;
  readonly shutdown: AbortSignal;
  readonly log: (line: string) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
}

async function respond(
  { request, response, socket }: Exchange,
  { answer, shutdown, log }: Responding,
): Promise<void> {
  const transport: InterruptedCall = {
    reset: () => socket.destroy(),
    untilClosed: () => untilClosed(socket, shutdown),
    shutdown,
  };
  let answered: KeyedReply;
  try {
    answered = await answer(request, transport);
  } catch (error) {
    if (isDropped(error) || socket.destroyed) {
      return;
    }
    if (!(error instanceof StripeError || error instanceof ConnectError)) {
      log(`the face in Stripe's form failed: ${String(error)}`);
    }
    answered = { reply: replyOfError(error), isReplayed: false };
  }
  write(request, response, answered);
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { reply, isReplayed }: KeyedReply,
): void {
  const { "idempotency-key": key, "stripe-version": version } = request.headers;
  const body = JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Request-Id": newId("req"),
    "Stripe-Version": String(version ?? DEFAULT_VERSION),
    ...(key === undefined ? {} : { "Idempotency-Key": String(key) }),
    ...(isReplayed ? { "Idempotent-Replayed": "true" } : {}),
    // What is left of a body that was too long is not read.
    ...(request.complete ? {} : { Connection: "close" }),
  });
  response.end(body);
}
