import type { Quiet } from "./aftermath.js";
import type { Operator } from "./operator.js";
import type { PlannedFault } from "./plan.js";
import type { Restored } from "./restore.js";
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

export interface Summary {
  readonly seed: number;
  readonly minutes: number;
  readonly keyWindowMs: number;
  readonly traffic: Traffic;
  readonly inflicted: readonly PlannedFault[];
  readonly restores: readonly Restored[];
  readonly operator: Operator;
  readonly quiet: Quiet;
  readonly verdict: Verdict;
  readonly problems: readonly string[];
}

export function summaryText(summary: Summary): string {
  const { seed, minutes, keyWindowMs, traffic, inflicted, problems } = summary;
  const { restores, operator, quiet, verdict } = summary;
  const { keys, calls, attempts } = countsOf(traffic);
  return [
    "",
    `seed            ${seed}, ${minutes} minutes`,
    `calls           ${calls} for ${keys} keys, in ${attempts} attempts`,
    `attempts        ${tallyText(traffic.callers.attemptsByReason)}`,
    `faults          ${inflicted.length}: ${tallyText(tally(inflicted.map(({ kind }) => kind)))}`,
    `restores        ${restoresText(restores)}`,
    `windows ended   ${operator.endedWindows.size}, each after ${seconds(keyWindowMs)}`,
    `resolutions     ${total(operator.resolutions)}: ${tallyText(operator.resolutions)}`,
    `quiet           after ${seconds(quiet.tookMs)}, of at most ${seconds(quiet.boundMs)} (two windows of the processor, and recovery's longest backoff)`,
    `effects         ${verdict.effects}`,
    `double effects  ${verdict.doubleEffects}`,
    `replayed        ${verdict.replayed}, from the store of record alone; ${verdict.untold} of them nobody had been told`,
    `lost            ${verdict.lost}`,
    `wrong           ${verdict.wrong}`,
    `wedged          ${quiet.executing + quiet.held + quiet.unanswered.length}`,
    `released        ${verdict.released}`,
    `violations      ${problems.length}`,
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${problem}`),
  ].join("\n");
}

function restoresText(restores: readonly Restored[]): string {
  const backups = new Set(restores.map(({ fromMs }) => fromMs)).size;
  const sum = (of: (restored: Restored) => number) =>
    restores.reduce((count, restored) => count + of(restored), 0);
  return `${restores.length}, from ${backups} backups: ${sum(({ lostOperations }) => lostOperations)} operations lost and found again, ${sum(({ lostAnswers }) => lostAnswers)} answers asked for again`;
}

function countsOf({ intents, callers, asking }: Traffic) {
  return {
    keys: intents.length,
    calls: callers.calls(),
    attempts: total(callers.attemptsByReason),
    asking: asking().length,
  };
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
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
