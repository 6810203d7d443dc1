import { setMaxListeners } from "node:events";
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { lockDirectory } from "../dev-servers/directory-lock.js";
import { makeDirectory } from "../dev-servers/make-directory.js";
import { SandboxProcessorService } from "../gen/payonce/sandbox/v1/sandbox_pb.js";
import { createConnections } from "../runtime/connections.js";
import { within } from "../runtime/within.js";
import type { FaultAccess } from "./fault-access.js";
import { createArmedFaults } from "./faults.js";
import type { InterruptedCall } from "./interruptions.js";
import { openJournal } from "./journal.js";
import { createProcessor } from "./processor.js";
import { createService } from "./service.js";
import { addToolServices } from "./tool-services.js";

export interface SandboxOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Holds the journal. Created if missing; serves one process at a time. */
  readonly dataDir: string;
  /** The callers who may arm faults; anybody unless given. */
  readonly faults?: FaultAccess;
  readonly log?: (line: string) => void;
}

/** The address cannot be bound. */
export class ListenError extends Error {
  override readonly name = "ListenError";

  constructor(address: string, cause: Error) {
    super(`cannot listen on ${address}: ${cause.message}`, { cause });
  }
}

export interface Sandbox {
  /** host:port as it was bound. */
  readonly address: string;
  /** Drops the calls that wait, finishes the others, and gives up the data directory. */
  close(): Promise<void>;
}

// All requests are a few short fields; SetFaults with every entry in use stays below 1 MiB.
const REQUEST_LIMIT_BYTES = 1024 * 1024;

// A call that is not dropped at close waits for one disk sync at most.
const SYNC_LIMIT_MS = 2_000;

// For a client to receive its last answer and to hang up; one that does not is cut off.
const LINGER_MS = 250;

const streamKey = createContextKey<ServerHttp2Stream | undefined>(undefined);

/**
 * Starts the sandbox processor: gRPC over cleartext HTTP/2, with health checking
 * and reflection.
 *
 * @throws ListenError if the address cannot be bound, and another error if the
 * data directory is in use or a journal line is malformed.
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { listen, dataDir, faults = { kind: "anybody" }, log = () => undefined } = options;
  await makeDirectory(dataDir);
  const lock = await lockDirectory(dataDir);
  try {
    const { journal, history, settled, close: closeJournal } = await openJournal(dataDir, log);
    const shutdown = new AbortController();
    // Every call that waits listens; their number is the clients' affair.
    setMaxListeners(0, shutdown.signal);
    const service = createService({
      processor: createProcessor({ journal, history, now: () => new Date() }),
      faults: createArmedFaults(),
      faultAccess: faults,
      toCall: (context) => toCall(context, shutdown.signal),
    });
    const listener = connectNodeAdapter({
      routes(router) {
        router.service(SandboxProcessorService, service);
        addToolServices(router, { service: SandboxProcessorService, shutdown: shutdown.signal });
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
    const address = await bind(server, listen).catch(async (error) => {
      await closeJournal();
      throw new ListenError(formatListen(listen, listen.port), error);
    });
    log(`sandbox processor on ${address}, ${history.effects.length} effects in ${dataDir}`);
    return {
      address,
      async close() {
        shutdown.abort();
        const closed = closeServer(server, sessions);
        await within(settled(), SYNC_LIMIT_MS);
        await within(closed, LINGER_MS);
        connections.destroyAll();
        await closeJournal();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function toCall({ values }: HandlerContext, shutdown: AbortSignal): InterruptedCall {
  const stream = values.get(streamKey);
  if (stream === undefined) {
    throw new Error("the sandbox serves HTTP/2 only");
  }
  return { stream, shutdown };
}

function trackSessions(server: Http2Server): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return sessions;
}

async function bind(server: Http2Server, listen: SandboxOptions["listen"]): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo;
  return formatListen(listen, port);
}

function formatListen({ host }: SandboxOptions["listen"], port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
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
