import type { Executor } from "../idempotency/execution/executor.js";
import { within } from "../runtime/within.js";
import type { OpenCalls } from "./open-calls.js";
import type { ListeningServer } from "./served-services.js";

/** The part of the limit that is kept back to hand on the calls that are left, and to answer them. Milliseconds. */
const HAND_OVER_MS = 1_500;

/** At least this part of a short time is for the calls under way. */
const CALLS_SHARE = 1 / 2;

/** Each wait after that takes this part of what is left, so that there is time to say what was left. */
const WAIT_SHARE = 3 / 4;

/**
 * The longest time for which a peer may take to receive its last answer and to hang up, once no
 * call is under way: some round trips. One that does not is closed.
 */
const LINGER_MS = 500;

/** Everything that takes calls, or makes some itself. */
export interface Serving {
  readonly executor: Pick<Executor<unknown>, "stop" | "drained" | "underWay" | "giveUp">;
  readonly openCalls: Pick<OpenCalls, "stop" | "drained" | "count">;
  /** Work that repeats by itself: recovery and the reaper. */
  readonly rounds: { stop(): Promise<void> }[];
  readonly servers: ListeningServer[];
}

/** Calls under way did not end in time. Whoever takes over their claims finds them out. */
class CallsLeft extends Error {
  override readonly name = "CallsLeft";
}

/**
 * Takes on nothing new, all at once: no round of recovery, no connection, no
 * call on a connection that is open. Then lets the calls under way end, and
 * closes every connection. Nothing that a peer does, or leaves undone, delays
 * it longer than `LINGER_MS`; nothing at all longer than the limit.
 *
 * @throws CallsLeft if calls had to be given up, after they were handed on.
 */
export async function stopServing(serving: Serving, limitMs: number): Promise<void> {
  const { executor, openCalls, rounds, servers } = serving;
  const startedAtMs = performance.now();
  const leftMs = () => Math.max(0, limitMs - (performance.now() - startedAtMs));

  executor.stop();
  openCalls.stop();
  const working = [...rounds.map((round) => round.stop()), openCalls.drained()];
  const closed = Promise.all(servers.map((server) => server.stop()));
  const drained = Promise.all(working).then(() => executor.drained());

  const left = (await within(drained, Math.max(limitMs - HAND_OVER_MS, limitMs * CALLS_SHARE)))
    ? undefined
    : new CallsLeft(leftText(serving));
  if (left !== undefined) {
    executor.giveUp();
    await within(executor.drained(), leftMs() * WAIT_SHARE);
  }
  await within(closed, Math.min(LINGER_MS, leftMs() * WAIT_SHARE));
  for (const { connections } of servers) {
    connections.destroyAll();
  }
  if (left !== undefined) {
    throw left;
  }
}

function leftText({ executor, openCalls, servers }: Serving): string {
  const { calls, streams } = openCalls.count();
  const sockets = servers.reduce((sum, { connections }) => sum + connections.count(), 0);
  return `left behind: ${executor.underWay() + calls} calls, ${streams} streams, ${sockets} sockets`;
}
