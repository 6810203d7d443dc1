import pg from "pg";
import type { ClientCall } from "../../src/audit/client-call.js";
import { auditServers, violationsIn } from "../support/operators/audit.js";
import { answerTo, contradictionsIn, type Intent, isToldOfNoPayment, nameOf } from "./intents.js";
import { replayAll } from "./replays.js";
import type { Restored, Soak } from "./restore.js";
import { LEASE_MS, RECOVERY_INTERVAL_MS } from "./settings.js";

export interface Verdict {
  readonly effects: number;
  readonly doubleEffects: number;
  readonly replayed: number;
  /** Answers that do not come again. */
  readonly lost: number;
  /** Final answers that the processor, or another answer, contradicts. */
  readonly wrong: number;
  /** Keys that have an answer which nobody was told. */
  readonly untold: number;
  /** Keys that are free for their own request. */
  readonly released: number;
  readonly problems: readonly string[];
}

/** Compares what clients were told with what the services say now, and with what the processor did. */
export async function judge(
  { cluster, traffic: { intents, log }, journal, keyWindowMs }: Soak,
  restores: readonly Restored[],
): Promise<Verdict> {
  const servers = { database: cluster.database, sandbox: cluster.processor };
  const audited = await auditServers(servers, {
    calls: log.calls.filter((call) => !isForgotten(call, restores)),
    boundMs: LEASE_MS + RECOVERY_INTERVAL_MS,
    keyWindowMs,
  });
  await journal.refresh();
  const states = await readStates(cluster.database.directUrl());
  const stateOf = ({ scope }: Intent) => states.get(`${scope.operation} ${scope.key}`);
  const effectsOf = ({ processorKey }: Intent) => journal.effectsOf(processorKey).length;

  const answered = intents.filter((intent) => stateOf(intent) === "completed");
  const others = intents.filter((intent) => stateOf(intent) !== "completed");
  const doubled = intents.filter((intent) => effectsOf(intent) > 1);
  const madePayments = new Set(journal.effects.map(({ paymentId }) => paymentId));
  const known = new Set(intents.map(({ processorKey }) => processorKey));
  const foreign = journal.effects.filter(({ processorKey }) => !known.has(processorKey));
  const replays = await replayAll(cluster, { intents: answered, journal });
  const lost = [
    ...replays.lost,
    ...others
      .filter((intent) => answerTo(intent) !== undefined)
      .map((intent) => `${nameOf(intent)}: told an answer, and its key is ${stateOf(intent)}`),
  ];
  const wrong = [
    ...replays.wrong,
    ...intents.flatMap((intent) =>
      contradictionsIn(intent).map((text) => `${nameOf(intent)}: ${text}`),
    ),
    ...intents
      .filter((intent) => isToldOfNoPayment(intent) && madePayments.has(intent.paymentId))
      .map((intent) => `${nameOf(intent)}: told that there is no payment ${intent.paymentId}`),
    ...others
      .filter((intent) => effectsOf(intent) > 0)
      .map((intent) => `${nameOf(intent)}: done, and its key is ${stateOf(intent)}`),
  ];
  return {
    effects: journal.effects.length,
    doubleEffects: doubled.length,
    replayed: answered.length,
    lost: lost.length,
    wrong: wrong.length,
    untold: answered.filter((intent) => answerTo(intent) === undefined).length,
    released: others.filter((intent) => stateOf(intent) === "released").length,
    problems: [
      ...wrong,
      ...doubled.map((intent) => `${nameOf(intent)}: ${effectsOf(intent)} effects`),
      ...foreign.map(({ processorKey }) => `an effect of nobody's key ${processorKey}`),
      ...lost,
      ...violationsIn(audited),
    ],
  };
}

/** Whether a restore may have lost what the call was told. What was told later stays. */
function isForgotten(call: ClientCall, restores: readonly Restored[]): boolean {
  return restores.some(({ fromMs, untilMs }) => call.endMs >= fromMs && call.startMs <= untilMs);
}

/** The states of all records, by operation and key. */
async function readStates(databaseUrl: string): Promise<ReadonlyMap<string, string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ operation: string; key: string; state: string }>(
      `SELECT operation, idempotency_key AS key, state FROM idempotency_records
       WHERE operation IS NOT NULL`,
    );
    return new Map(rows.map(({ operation, key, state }) => [`${operation} ${key}`, state]));
  } finally {
    await client.end();
  }
}
