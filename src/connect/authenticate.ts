import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { refusedReply } from "../idempotency/answers/reply.js";
import { type Caller, DEFAULT_CALLER, type Identification } from "../idempotency/execution/call.js";
import { connectErrorOf } from "./errors.js";

/**
 * Finds the caller, or the error with which the call is refused. It reads the
 * request's headers, and what the adapter's `contextValues` has of the
 * connection, such as a client's certificate.
 */
export type Authenticate = (context: HandlerContext) => Identification;

/** The caller that the gate has let in. */
const callerKey = createContextKey<Caller | undefined>(undefined);

/** Is asked about each call before its request is read. It throws a ConnectError to refuse the call. */
export type RequestGate = (context: HandlerContext) => void;

/**
 * Makes a `requestGate` that refuses callers before their request is read, for
 * `connectNodeListener`, or for the router of Connect 2.2 or later. `idempotent`
 * refuses the same ones, only later; without an `authenticate` of its own it
 * takes the caller that the gate has found, so both see the same tenant.
 */
export function authenticationGate(authenticate: Authenticate): RequestGate {
  return (context) => {
    context.values.set(callerKey, callerOf(context, authenticate));
  };
}

/** @throws ConnectError if the caller is refused. */
export function callerOf(context: HandlerContext, authenticate?: Authenticate): Caller {
  if (authenticate === undefined) {
    return context.values.get(callerKey) ?? DEFAULT_CALLER;
  }
  const identification = authenticate(context);
  // Asked so that what is neither, from a program without types, lets nobody in.
  if (identification.kind !== "caller") {
    throw connectErrorOf(refusedReply(identification.error));
  }
  return identification.caller;
}
