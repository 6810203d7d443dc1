import { Client, credentials } from "@grpc/grpc-js";
import { readJournal } from "../../src/audit/read-journal.js";
import type { Effect } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { processorKeyOf } from "../../src/payments/operation.js";
import { createRandom } from "../simulation/random.js";
import { auditServers, violationsIn } from "../support/audit.js";
import { isReplayed, openPayments } from "../support/payments-client.js";
import { askUntilDefinite } from "./caller.js";
import type { SoakCluster } from "./cluster.js";
import { flush } from "./faults.js";
import { answerTo, contradictionsIn, effectsOf, type Intent, textOf } from "./intents.js";
import { CLIENTS, LEASE_MS, RECOVERY_INTERVAL_MS } from "./settings.js";
import type { Traffic } from "./traffic.js";

/** A replay is one read; with nothing broken it takes a few tries at most. */
const REPLAY_LIMIT_MS = 20_000;

export interface Verdict {
  readonly effects: number;
  /** Of keys that nobody got an OK for: they are parked. */
  readonly effectsOfParked: number;
  readonly doubleEffects: number;
  readonly replayed: number;
  /** Answers that do not come again, or whose effects are not there. */
  readonly lost: number;
  readonly problems: readonly string[];
}

/** Compares what clients were told with what the services say now, and with what the processor did. */
export async function judge(
  cluster: SoakCluster,
  { intents, log }: Pick<Traffic, "intents" | "log">,
): Promise<Verdict> {
  const servers = { database: cluster.database, sandbox: cluster.processor };
  const audited = await auditServers(servers, {
    calls: log.calls,
    boundMs: LEASE_MS + RECOVERY_INTERVAL_MS,
  });
  const effects = await readEffects(cluster.processor.address);
  const counts = countByKey(effects);
  const lostEffects: string[] = [];
  const doubled: string[] = [];
  const contradictions: string[] = [];
  let effectsOfParked = 0;
  for (const intent of intents) {
    const answer = answerTo(intent);
    const processorKey = processorKeyOf(intent.scope);
    const found = counts.get(processorKey) ?? 0;
    counts.delete(processorKey);
    contradictions.push(...contradictionsIn(intent).map((text) => `${nameOf(intent)}: ${text}`));
    if (found > 1) {
      doubled.push(`${nameOf(intent)}: ${found} effects`);
    }
    if (answer === undefined) {
      effectsOfParked += found;
    } else if (Math.min(found, 1) !== effectsOf(answer)) {
      lostEffects.push(
        `${nameOf(intent)}: ${found} effects, told code ${answer.asked.result.code}`,
      );
    }
  }
  const foreign = [...counts.keys()].map((key) => `an effect of nobody's key ${key}`);
  const { replayed, lostAnswers } = await replayAll(cluster, intents);
  return {
    effects: effects.length,
    effectsOfParked,
    doubleEffects: doubled.length,
    replayed,
    lost: lostEffects.length + lostAnswers.length,
    problems: [
      ...contradictions,
      ...doubled,
      ...lostEffects,
      ...foreign,
      ...lostAnswers,
      ...violationsIn(audited),
    ],
  };
}

/** Asks for every answer again, with nothing left in the services and in Redis. */
async function replayAll(cluster: SoakCluster, intents: readonly Intent[]) {
  await Promise.all(cluster.services.map((service) => service.restart("SIGTERM", async () => {})));
  await Promise.all(cluster.redis.map(({ node }) => flush(node.url)));
  const clients = cluster.services.map(({ grpcAddress }) => openPayments(grpcAddress));
  const waiting = intents.filter((intent) => answerTo(intent) !== undefined);
  const lostAnswers: string[] = [];
  let replayed = 0;

  async function replay(): Promise<void> {
    for (let intent = waiting.pop(); intent !== undefined; intent = waiting.pop()) {
      const answer = answerTo(intent);
      if (answer === undefined) {
        continue;
      }
      const giveUpAtMs = performance.now() + REPLAY_LIMIT_MS;
      const again = await askUntilDefinite(
        {
          services: clients,
          random: createRandom(waiting.length),
          isStopped: () => performance.now() > giveUpAtMs,
          onAttempt: () => {},
        },
        answer.send,
      );
      replayed += 1;
      if (textOf(again) !== textOf(answer.asked)) {
        lostAnswers.push(`${nameOf(intent)}: told ${textOf(answer.asked)}, now ${textOf(again)}`);
      } else if (!isReplayed(again.result)) {
        lostAnswers.push(`${nameOf(intent)}: executed again`);
      }
    }
  }

  await Promise.all(Array.from({ length: CLIENTS }, replay));
  for (const client of clients) {
    client.close();
  }
  return { replayed, lostAnswers };
}

/** How many effects each processor key has. */
function countByKey(effects: readonly Effect[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { processorKey } of effects) {
    counts.set(processorKey, (counts.get(processorKey) ?? 0) + 1);
  }
  return counts;
}

async function readEffects(address: string): Promise<readonly Effect[]> {
  const processor = new Client(address, credentials.createInsecure());
  try {
    return (await readJournal(processor)).effects;
  } finally {
    processor.close();
  }
}

export function nameOf({ scope }: Intent): string {
  return `${scope.operation.split("/")[1]} ${scope.key}`;
}
