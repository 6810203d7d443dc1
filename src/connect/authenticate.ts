import type { ConnectRouterOptions, HandlerContext } from "@connectrpc/connect";
import { type Caller, DEFAULT_CALLER } from "../idempotency/call.js";
import type { ErrorDescription } from "../idempotency/errors.js";
import { refusedReply } from "../idempotency/reply.js";
import { connectErrorOf } from "./errors.js";

/**
 * Finds out who calls, or why nobody may, from the request's headers and from
 * what the adapter's `contextValues` knows of the connection, such as a
 * client's certificate.
 */
export type Authenticate = (context: HandlerContext) => Caller | ErrorDescription;

/**
 * Connect's `requestGate` that refuses callers before their request is read.
 * `idempotent` refuses the same ones, only later.
 */
export function authenticationGate(
  authenticate: Authenticate,
): NonNullable<ConnectRouterOptions["requestGate"]> {
  return (context) => {
    callerOf(context, authenticate);
  };
}

/** @throws ConnectError if the caller is refused. */
export function callerOf(context: HandlerContext, authenticate?: Authenticate): Caller {
  const identified = authenticate?.(context) ?? DEFAULT_CALLER;
  if ("reason" in identified) {
    throw connectErrorOf(refusedReply(identified));
  }
  return identified;
}
