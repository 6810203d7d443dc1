import type { Compared } from "./charges.js";
import type { Measured } from "./measure.js";
import type { Run } from "./run.js";

/** More problems than this say nothing new. */
const MAX_PROBLEMS = 40;

export interface Summary {
  readonly seed: number;
  readonly elapsedMs: number;
  readonly run: Run;
  readonly charged: Compared;
  readonly problems: readonly string[];
}

export function progressText(done: number, now: Measured): string {
  return `[${done}] loop delay ${ms(now.loopDelayMs)}, RSS ${mb(now.residentMb)}, files ${now.openFiles}, a correct call ${ms(now.correctCallMs)}`;
}

export function summaryText({ seed, elapsedMs, run, charged, problems }: Summary): string {
  const { casesByKind, attemptsByReply, measured, filesBefore, filesAfter } = run;
  const worst = (of: (each: Measured) => number) => Math.max(0, ...measured.map(of));
  const cases = total(casesByKind);
  return [
    "",
    ...table(casesByKind),
    "",
    ...table(attemptsByReply),
    "",
    `seed               ${seed}`,
    `cases              ${cases} of ${casesByKind.size} kinds, ${total(attemptsByReply)} requests, in ${Math.round(elapsedMs / 1_000)} s`,
    `longest loop delay ${ms(worst(({ loopDelayMs }) => loopDelayMs))}`,
    `RSS                ${mb(measured[0]?.residentMb ?? 0)} after the first batch, ${mb(measured.at(-1)?.residentMb ?? 0)} after the last, at most ${mb(worst(({ residentMb }) => residentMb))}`,
    `files              ${filesBefore} before, ${filesAfter} after, at most ${worst(({ openFiles }) => openFiles)}`,
    `slowest correct    ${ms(worst(({ correctCallMs }) => correctCallMs))}`,
    `effects            ${charged.effects}`,
    `violations         ${problems.length}`,
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${problem}`),
  ].join("\n");
}

function table(counts: ReadonlyMap<string, number>): readonly string[] {
  return [...counts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, count]) => `${String(count).padStart(8)}  ${name}`);
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function mb(value: number): string {
  return `${Math.round(value)} MB`;
}
