import { setTimeout as sleep } from "node:timers/promises";
import { startCpuMeter } from "../lab/cpu.js";
import type { Lab } from "../lab/lab.js";
import { type Program, startProgram } from "../lab/program.js";
import { installPeers } from "../peers/install.js";
import { type PeerName, peers } from "../peers/peers.js";
import type { PeerAnswer, PeerQuestion, PeerSettings } from "../programs/peer-calls.js";
import type { Side } from "./side.js";

const REPLAYED_KEYS = 500;
const PREPARING = { callers: 16, seconds: 60 };

/** So many of a sample's new keys are called again afterwards. */
const REPEATED_KEYS = 100;

/** Whoever keeps an answer after it was given has done so by then. Milliseconds. */
const KEPT_BY_MS = 200;

export interface PeerProgram extends Program<PeerQuestion, PeerAnswer> {
  readonly peer: PeerName;
}

/** Starts a process that calls one peer. What ends it goes to the shutdown. */
export async function startPeer(
  { redis, postgres, shutdown }: Lab,
  peer: PeerName,
): Promise<PeerProgram> {
  const [redisUrl = ""] = redis.urls;
  const settings: PeerSettings = {
    peer,
    redisUrl,
    databaseUrl: peers[peer].on === "Postgres" ? await postgres.databases.create() : "",
    packages: peers[peer].packages === "its own" ? await installPeers() : "",
  };
  const program = await startProgram<PeerQuestion, PeerAnswer>("peer-calls", settings);
  shutdown.add(() => program.stop());
  return { ...program, peer };
}

let prefixes = 0;

/** Calls with keys that were never used, and afterwards some of them again. */
export function createNewKeysSide(lab: Lab, program: PeerProgram): Side {
  return {
    async measure({ atOnce, seconds }) {
      const prefix = `new-${prefixes++}`;
      const { sample, answer } = await measured(lab, program, {
        isAnew: true,
        prefix,
        traffic: { kind: "new keys" },
        callers: atOnce,
        seconds,
      });
      assertExecutions(answer, answer.calls);
      await sleep(KEPT_BY_MS);
      const traffic = { kind: "replays", keys: answer.calls } as const;
      const again = { ...PREPARING, isAnew: true, prefix, traffic, maxCalls: REPEATED_KEYS };
      assertExecutions(await program.ask(again), 0);
      return sample;
    },
  };
}

/** Calls that were answered before, by the same process or as if by another. */
export function createReplaysSide(
  lab: Lab,
  program: PeerProgram,
  where: "here" | "elsewhere",
): Side {
  return {
    async measure({ atOnce, seconds }) {
      const prefix = `kept-${prefixes++}`;
      const prepared = await program.ask({
        ...PREPARING,
        isAnew: true,
        prefix,
        traffic: { kind: "new keys" },
        maxCalls: REPLAYED_KEYS,
      });
      assertExecutions(prepared, REPLAYED_KEYS);
      await sleep(KEPT_BY_MS);
      const { sample, answer } = await measured(lab, program, {
        isAnew: where === "elsewhere",
        prefix,
        traffic: { kind: "replays", keys: REPLAYED_KEYS },
        callers: atOnce,
        seconds,
      });
      assertExecutions(answer, 0);
      return sample;
    },
  };
}

async function measured({ redis, postgres }: Lab, program: PeerProgram, question: PeerQuestion) {
  const readCpu = startCpuMeter({
    server: [program.pid],
    ...(peers[program.peer].on === "Redis"
      ? { redis: redis.pids.slice(0, 1) }
      : { postgres: [postgres.pid] }),
  });
  const answer = await program.ask(question);
  return { answer, sample: { ...answer, cpuMs: readCpu() } };
}

function assertExecutions({ calls, executions }: PeerAnswer, expected: number): void {
  if (executions !== expected) {
    throw new Error(`${calls} calls made ${executions} executions, not ${expected}`);
  }
}
