import type { Quiet } from "./aftermath.js";
import type { PlannedFault } from "./plan.js";
import type { Traffic } from "./traffic.js";
import type { Verdict } from "./verdict.js";

/** More problems than this say nothing new. */
const MAX_PROBLEMS = 40;

interface Progress {
  readonly elapsedMs: number;
  readonly traffic: Traffic;
  readonly inflicted: readonly PlannedFault[];
}

export function progressText({ elapsedMs, traffic, inflicted }: Progress): string {
  const { keys, attempts, asking } = countsOf(traffic);
  const last = inflicted.at(-1)?.kind ?? "none yet";
  return `[${Math.round(elapsedMs / 1_000)} s] keys ${keys}, attempts ${attempts}, keys without an answer ${asking}; faults ${inflicted.length}, the last: ${last}`;
}

interface Summary {
  readonly seed: number;
  readonly minutes: number;
  readonly traffic: Traffic;
  readonly inflicted: readonly PlannedFault[];
  readonly quiet: Quiet;
  readonly verdict: Verdict;
  readonly problems: readonly string[];
}

export function summaryText(summary: Summary): string {
  const { seed, minutes, traffic, inflicted, quiet, verdict, problems } = summary;
  const { keys, calls, attempts } = countsOf(traffic);
  const { parked, executing } = quiet.unfinished;
  return [
    "",
    `seed            ${seed}, ${minutes} minutes`,
    `calls           ${calls} for ${keys} keys, in ${attempts} attempts`,
    `attempts        ${tallyText(traffic.attemptsByReason)}`,
    `faults          ${inflicted.length}: ${tallyText(tally(inflicted.map(({ kind }) => kind)))}`,
    `quiet           after ${seconds(quiet.tookMs)}, of at most ${seconds(quiet.boundMs)} (the processor's window, and recovery's longest backoff)`,
    `effects         ${verdict.effects}, of parked keys ${verdict.effectsOfParked}`,
    `double effects  ${verdict.doubleEffects}`,
    `replayed        ${verdict.replayed}, from the store of record alone`,
    `lost            ${verdict.lost}`,
    `unresolved      ${executing + quiet.unexplained.length}`,
    `parked          ${parked.length}: ${tallyText(tally(parked.map(({ paymentMethod }) => paymentMethod ?? "?")))}`,
    `violations      ${problems.length}`,
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${problem}`),
  ].join("\n");
}

function countsOf({ intents, attemptsByReason, asking }: Traffic) {
  return {
    keys: intents.length,
    calls: intents.reduce((sum, intent) => sum + intent.told.length + intent.asking, 0),
    attempts: [...attemptsByReason.values()].reduce((sum, count) => sum + count, 0),
    asking: asking().length,
  };
}

function tally(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function tallyText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}
