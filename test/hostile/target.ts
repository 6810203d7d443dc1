import { Agent } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { connectRaw } from "../support/calls/hostile-grpc.js";
import { createLock } from "../support/lock.js";
import { ATTACKER_ADDRESS } from "./settings.js";

/** The service as its attackers reach it. */
export interface Target {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly agent: Agent;
  /** A connection that cases share which do it no harm. */
  session(): Promise<ClientHttp2Session>;
  /** One of a case's own, closed with the others if the case does not. */
  ownSession(settings?: { readonly initialWindowSize?: number }): Promise<ClientHttp2Session>;
  close(): void;
}

export interface Addresses {
  readonly grpcAddress: string;
  readonly httpAddress: string;
}

/** Calls on one shared connection: a server may close one that has had too many that are broken. */
const CALLS_PER_SESSION = 400;

export function openTarget({ grpcAddress, httpAddress }: Addresses): Target {
  const agent = new Agent({ keepAlive: true, localAddress: ATTACKER_ADDRESS, maxSockets: 64 });
  const open = new Set<ClientHttp2Session>();
  const lock = createLock();
  let shared: ClientHttp2Session | undefined;
  let retired: ClientHttp2Session | undefined;
  let calls = 0;

  const ownSession: Target["ownSession"] = async (settings = {}) => {
    const session = await connectRaw(grpcAddress, ATTACKER_ADDRESS, settings);
    open.add(session);
    session.once("close", () => open.delete(session));
    return session;
  };

  return {
    grpcAddress,
    httpAddress,
    agent,
    ownSession,
    session: () =>
      lock.exclusively(async () => {
        calls += 1;
        if (
          shared === undefined ||
          shared.closed ||
          shared.destroyed ||
          calls > CALLS_PER_SESSION
        ) {
          retired?.close(); // its calls have ended by now
          retired = shared;
          shared = await ownSession();
          calls = 1;
        }
        return shared;
      }),
    close() {
      agent.destroy();
      for (const session of open) {
        session.destroy();
      }
    },
  };
}
