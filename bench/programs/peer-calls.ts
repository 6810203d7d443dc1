import type { Plan, PlanDone } from "../load/plan.js";
import { runPlan } from "../load/run-plan.js";
import { connectDbos } from "../peers/dbos.js";
import { connectNodeIdempotency } from "../peers/node-idempotency.js";
import { connectPayonceOnPostgres, connectPayonceOnRedis } from "../peers/payonce.js";
import { answerOf, type ConnectPeer, type PeerOptions } from "../peers/peer.js";
import type { PeerName } from "../peers/peers.js";
import { connectPowertools } from "../peers/powertools.js";
import { connectRedlock } from "../peers/redlock.js";
import { answering, settings } from "./answering.js";

export interface PeerSettings extends Omit<PeerOptions, "handler"> {
  readonly peer: PeerName;
}

export interface PeerQuestion extends Omit<Plan, "targets"> {
  /** Whether it begins anew, as another process would, with nothing in memory. */
  readonly isAnew: boolean;
}

/** Every answer was right. */
export interface PeerAnswer extends PlanDone {
  readonly executions: number;
}

const connects: Record<PeerName, ConnectPeer> = {
  "payonce on Redis": connectPayonceOnRedis,
  "payonce on Postgres": connectPayonceOnPostgres,
  "node-idempotency": connectNodeIdempotency,
  powertools: connectPowertools,
  "redlock by hand": connectRedlock,
  DBOS: connectDbos,
};

// Calls one peer, without gRPC.
const { peer, ...options } = settings<PeerSettings>();
let executions = 0;
const begin = await connects[peer]({
  ...options,
  async handler(key) {
    executions += 1;
    return answerOf(key);
  },
});

let call = begin();

answering(async ({ isAnew, ...plan }: PeerQuestion): Promise<PeerAnswer> => {
  if (isAnew) {
    call = begin();
  }
  executions = 0;
  const done = await runPlan(plan, async (key) => {
    const answer = await call(key);
    if (answer !== answerOf(key)) {
      throw new Error(`${key} was answered with ${answer}`);
    }
  });
  return { ...done, executions };
});
