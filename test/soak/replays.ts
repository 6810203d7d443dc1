import {
  isReplayed,
  openPayments,
  type PaymentsClient,
} from "../support/payments/payments-client.js";
import { createRandom } from "../support/random.js";
import { type Asked, askUntilDefinite } from "./caller.js";
import type { SoakCluster } from "./cluster.js";
import { flush } from "./faults.js";
import {
  answerTo,
  effectsOf,
  type Intent,
  nameOf,
  type Request,
  requestOf,
  textOf,
} from "./intents.js";
import type { Journal } from "./journal.js";
import { CLIENTS } from "./settings.js";

/** A replay is one read; with nothing broken it takes a few tries at most. Milliseconds. */
const REPLAY_LIMIT_MS = 20_000;

export interface Replays {
  /** Answers that do not come again. */
  readonly lost: readonly string[];
  /** Answers that the processor contradicts. */
  readonly wrong: readonly string[];
}

/** Asks for every answer again, with nothing left in the services and in Redis. */
export async function replayAll(
  cluster: SoakCluster,
  { intents, journal }: { readonly intents: readonly Intent[]; readonly journal: Journal },
): Promise<Replays> {
  await Promise.all(cluster.services.map((service) => service.restart("SIGTERM", async () => {})));
  await Promise.all(cluster.redis.map(({ node }) => flush(node.url)));
  const clients = cluster.services.map(({ grpcAddress }) => openPayments(grpcAddress));
  const waiting = [...intents];
  const lost: string[] = [];
  const wrong: string[] = [];

  async function replay(): Promise<void> {
    for (let intent = waiting.pop(); intent !== undefined; intent = waiting.pop()) {
      const effects = journal.effectsOf(intent.processorKey);
      const again = await askAgain(clients, intent, requestOf(intent, effects));
      const told = answerTo(intent)?.asked;
      if (told !== undefined && textOf(again) !== textOf(told)) {
        lost.push(`${nameOf(intent)}: told ${textOf(told)}, now ${textOf(again)}`);
      } else if (!isReplayed(again.result)) {
        lost.push(`${nameOf(intent)}: executed again, or not answered`);
      }
      if (Math.min(effects.length, 1) !== effectsOf(again)) {
        const { code } = again.result;
        wrong.push(`${nameOf(intent)}: ${effects.length} effects, answered with code ${code}`);
      }
    }
  }

  await Promise.all(Array.from({ length: CLIENTS }, replay));
  for (const client of clients) {
    client.close();
  }
  return { lost, wrong };
}

async function askAgain(
  services: readonly PaymentsClient[],
  intent: Intent,
  { send }: Request,
): Promise<Asked> {
  const giveUpAtMs = performance.now() + REPLAY_LIMIT_MS;
  return askUntilDefinite(
    {
      services,
      random: createRandom(intent.scope.key.length),
      mayAsk: async () => {},
      isStopped: () => performance.now() > giveUpAtMs,
      onAttempt: () => {},
    },
    send,
  );
}
