import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Effect } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { createRandom, type Random } from "../support/random.js";
import { type Backup, putBack } from "./backup.js";
import type { SoakCluster } from "./cluster.js";
import { answerTo, type Intent, requestOf } from "./intents.js";
import type { Journal } from "./journal.js";
import type { Operator } from "./operator.js";
import { CLIENTS, ON_THE_WAY_MS } from "./settings.js";
import type { Traffic } from "./traffic.js";

/** Until the database holds again what the processor's journal holds, on a busy machine. Milliseconds. */
const CATCH_UP_LIMIT_MS = 180_000;
const POLL_MS = 250;

/**
 * The part of the processor's window within which calls may come in any order.
 * Past the window the services take the database's word again, so that a call
 * must not come before those that it builds on. The rest is for a busy machine.
 */
const ANY_ORDER_PART = 1 / 3;

export interface Soak {
  readonly cluster: SoakCluster;
  readonly traffic: Traffic;
  readonly operator: Operator;
  readonly journal: Journal;
  readonly keyWindowMs: number;
  readonly onProblem: (problem: string) => void;
}

/** What a restore cost. */
export interface Restored {
  /** Before this the backup knows nothing of what was told, and after the other all is told anew. Milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Operations that the processor had done and the database had lost. */
  readonly lostOperations: number;
  /** Answers that were told and asked for again. */
  readonly lostAnswers: number;
}

/**
 * Puts a backup back under the services' hands. Then clients repeat what they
 * have asked for since, until the database holds again what the processor did.
 */
export async function restore(soak: Soak, backup: Backup, seed: number): Promise<Restored> {
  const { cluster, traffic, operator, journal } = soak;
  const { callers } = traffic;
  return operator.withoutOperator(async () => {
    callers.pause();
    try {
      // Of two requests under one key the database forgets which one was first; nothing else can know.
      await callers.landed(({ isContested }) => isContested);
      const stoppedAtMs = performance.now();
      // What the backup holds as begun is old by now: what was done of it must not be sent again.
      await putBack(cluster.database, backup, () => cluster.processorFaults.forget());
      await journal.refresh();
      const { missing: lost } = await compare(soak);
      await catchUp(soak, {
        fromMs: backup.takenAtMs,
        orderedFromMs: performance.now() + soak.keyWindowMs * ANY_ORDER_PART,
        settledAtMs: stoppedAtMs + ON_THE_WAY_MS,
        random: createRandom(seed),
      });
      await callers.landed(() => true);
      const untilMs = performance.now();
      const lostAnswers = traffic.forget(backup.takenAtMs);
      return { fromMs: backup.takenAtMs, untilMs, lostOperations: lost.size, lostAnswers };
    } finally {
      callers.resume();
    }
  });
}

interface CatchingUp {
  readonly fromMs: number;
  /** When calls have to come in their order. Milliseconds. */
  readonly orderedFromMs: number;
  /** When nothing is on its way any more that was sent before. Milliseconds. */
  readonly settledAtMs: number;
  readonly random: Random;
}

async function catchUp(soak: Soak, catching: CatchingUp): Promise<void> {
  const { traffic, operator, journal, onProblem } = soak;
  const { fromMs, orderedFromMs, settledAtMs, random } = catching;
  const giveUpAtMs = performance.now() + CATCH_UP_LIMIT_MS;
  const isOrdered = () => performance.now() >= orderedFromMs;
  // What the backup may lack; not what nobody knows the request of.
  const repeated = traffic.intents.filter(
    (intent) =>
      !answerTo({ ...intent, told: intent.told.filter(({ atMs }) => atMs < fromMs) }) &&
      !intent.isGivenUp &&
      (!intent.isContested || answerTo(intent) !== undefined),
  );
  await askAll(soak, shuffled(repeated, random), { random, isOver: isOrdered });
  for (;;) {
    await operator.endKnown();
    await journal.refresh();
    const { missing, busyPayments } = await compare(soak);
    const nowMs = performance.now();
    if (missing.size === 0 && nowMs >= settledAtMs) {
      return;
    }
    if (nowMs > giveUpAtMs) {
      onProblem(
        `${missing.size} operations did not come back after a restore: ${[...missing].slice(0, 5)}`,
      );
      return;
    }
    const wanted = traffic.intents.filter(
      ({ processorKey, isContested }) =>
        missing.has(processorKey) && (!isContested || nowMs >= settledAtMs),
    );
    if (isOrdered()) {
      const free = wanted.filter(({ paymentId }) => !busyPayments.has(paymentId));
      await askAll(soak, firstOfEachPayment(free), { random, isOver: () => false });
    } else {
      await askAll(soak, shuffled(wanted, random), { random, isOver: isOrdered });
    }
    await sleep(POLL_MS);
  }
}

/** Asks once for each, many at a time, until it is over. */
async function askAll(
  { traffic, journal }: Soak,
  intents: readonly Intent[],
  { random, isOver }: { readonly random: Random; readonly isOver: () => boolean },
): Promise<void> {
  const waiting = intents.toReversed();
  async function ask(): Promise<void> {
    for (let intent = waiting.pop(); intent !== undefined && !isOver(); intent = waiting.pop()) {
      await traffic.callers.askOnce(
        requestOf(intent, journal.effectsOf(intent.processorKey)),
        random,
      );
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, ask));
}

interface Compared {
  /** The processor keys of effects that no operation of the database stands for now. */
  readonly missing: ReadonlySet<string>;
  /** Payments with an effect that the database does not know of yet, though it knows of its operation. */
  readonly busyPayments: ReadonlySet<string>;
}

/** Compares what the processor did with what the database holds. */
async function compare({ cluster, journal }: Soak): Promise<Compared> {
  const client = new pg.Client({ connectionString: cluster.database.directUrl() });
  await client.connect();
  try {
    const { rows } = await client.query<{ processor_key: string; state: string }>(
      "SELECT processor_key, state FROM operations WHERE state <> 'not_executed'",
    );
    const states = new Map(rows.map((row) => [row.processor_key, row.state]));
    const stateOf = ({ processorKey }: Effect) => states.get(processorKey);
    const isBusy = (effect: Effect) => ["pending", "unknown"].includes(stateOf(effect) ?? "");
    return {
      missing: new Set(
        journal.effects
          .filter((effect) => stateOf(effect) === undefined)
          .map(({ processorKey }) => processorKey),
      ),
      busyPayments: new Set(journal.effects.filter(isBusy).map(({ paymentId }) => paymentId)),
    };
  } finally {
    await client.end();
  }
}

/** A call is asked for after those on its payment that clients wanted before. */
function firstOfEachPayment(intents: readonly Intent[]): readonly Intent[] {
  const seen = new Set<string>();
  return intents.filter(({ paymentId }) => {
    const isFirst = !seen.has(paymentId);
    seen.add(paymentId);
    return isFirst;
  });
}

function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const keyed = items.map((item) => [random.next(), item] as const);
  return keyed.sort(([left], [right]) => left - right).map(([, item]) => item);
}
