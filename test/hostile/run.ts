import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProcess } from "../support/service/service-process.js";
import { waitUntil } from "../support/service/service-process.js";
import { type Attempt, problemsIn, textOf } from "./attempt.js";
import { type Charges, createCharges } from "./charges.js";
import { type Case, drawCase } from "./draw.js";
import { type Measured, type Meter, openMeter } from "./measure.js";
import * as bounds from "./settings.js";
import { openTarget, type Target } from "./target.js";

export interface RunOptions {
  readonly service: ServiceProcess;
  readonly seed: number;
  /** The numbers of the cases. */
  readonly from: number;
  readonly to: number;
  readonly onProblem: (problem: string) => void;
  readonly onBatch: (done: number, measured: Measured) => void;
}

/** What a run has seen. */
export interface Run {
  readonly charges: Charges;
  readonly casesByKind: ReadonlyMap<string, number>;
  readonly attemptsByReply: ReadonlyMap<string, number>;
  readonly measured: readonly Measured[];
  readonly filesBefore: number;
  readonly filesAfter: number;
}

/** Runs all cases, some at a time, and looks at the service after each batch. */
export async function run(options: RunOptions): Promise<Run> {
  const { service, seed, from, to, onBatch, onProblem } = options;
  const charges = createCharges();
  const casesByKind = new Map<string, number>();
  const attemptsByReply = new Map<string, number>();
  const measured: Measured[] = [];
  const meter = openMeter(service, seed);
  const target = openTarget(service);
  const state = { ended: false };
  void service.exited.then(() => {
    state.ended = true;
  });

  const onCase = async (each: Case) => {
    count(casesByKind, each.kind.name);
    const tell = (problem: string) => onProblem(`${repeatable(seed, each)} ${problem}`);
    for (const attempt of await attemptsOf(each, { target, tell })) {
      count(attemptsByReply, textOf(attempt.reply));
      charges.add(each.number, attempt);
      for (const problem of problemsIn(attempt)) {
        tell(problem);
      }
    }
  };

  try {
    await meter.measure(); // what has been before is not ours
    const filesBefore = await meter.openFiles();
    for (let first = from; first < to && !state.ended; first += bounds.BATCH_CASES) {
      const end = Math.min(to, first + bounds.BATCH_CASES);
      const outputBefore = service.output().length;
      await atOnce(first, end, (number) => onCase(drawCase(seed, number)));
      const range = `cases ${first}-${end - 1} (npm run hostile -- --seed ${seed} --only ${first}-${end - 1})`;
      const now = await meter.measure().catch(() => undefined);
      if (now === undefined) {
        onProblem(`${range}: the service answers no more`);
        break;
      }
      measured.push(now);
      for (const problem of measuredProblems(now, { measured, filesBefore })) {
        onProblem(`${range}: ${problem}`);
      }
      const written = service.output().slice(outputBefore);
      for (const problem of outputProblems(written, end - first)) {
        onProblem(`${range}: ${problem}`);
      }
      onBatch(end - from, now);
    }
    target.close();
    const filesAfter = state.ended ? 0 : await filesLeft(meter);
    if (state.ended) {
      onProblem(`the service has ended by itself:\n${service.output().slice(-2_000)}`);
    } else if (filesAfter > filesBefore + bounds.LEFT_FILES_LIMIT) {
      onProblem(`${filesAfter} files are open, ${filesBefore} were at the start`);
    }
    return { charges, casesByKind, attemptsByReply, measured, filesBefore, filesAfter };
  } finally {
    target.close();
    meter.close();
  }
}

interface CaseOptions {
  readonly target: Target;
  readonly tell: (problem: string) => void;
}

async function attemptsOf(each: Case, { target, tell }: CaseOptions): Promise<readonly Attempt[]> {
  const { kind, random, key } = each;
  const limit = new AbortController();
  try {
    const attempts = await Promise.race([
      kind.attack({ target, random, key }),
      sleep(bounds.CASE_LIMIT_MS, undefined, { signal: limit.signal }),
    ]);
    if (attempts === undefined) {
      tell(`has not ended within ${bounds.CASE_LIMIT_MS} ms`);
      return [];
    }
    return "reply" in attempts ? [attempts] : attempts;
  } catch (error) {
    tell(`failed: ${error instanceof Error ? error.stack : String(error)}`);
    return [];
  } finally {
    limit.abort();
  }
}

/** Begins with as many as may be under way, and goes on as they end. */
async function atOnce(
  from: number,
  to: number,
  work: (number: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < to) {
      const number = next;
      next += 1;
      await work(number);
    }
  };
  await Promise.all(Array.from({ length: bounds.CASES_AT_ONCE }, worker));
}

function measuredProblems(
  now: Measured,
  {
    measured,
    filesBefore,
  }: { readonly measured: readonly Measured[]; readonly filesBefore: number },
): readonly string[] {
  const warm = measured[bounds.WARM_UP_BATCHES - 1];
  const grownMb = now.residentMb - (warm?.residentMb ?? now.residentMb);
  return [
    ...(now.loopDelayMs > bounds.LOOP_DELAY_LIMIT_MS
      ? [`the event loop stood still for ${Math.round(now.loopDelayMs)} ms`]
      : []),
    ...(grownMb > bounds.GROWTH_LIMIT_MB ? [`memory has grown by ${Math.round(grownMb)} MB`] : []),
    ...(now.openFiles > filesBefore + bounds.OPEN_FILES_LIMIT
      ? [`${now.openFiles} files are open, ${filesBefore} were at the start`]
      : []),
    ...(now.correctCall !== "OK" ? [`a correct call was told ${now.correctCall}`] : []),
    ...(now.correctCallMs > bounds.CORRECT_CALL_LIMIT_MS
      ? [`a correct call took ${Math.round(now.correctCallMs)} ms`]
      : []),
  ];
}

function outputProblems(written: string, cases: number): readonly string[] {
  const failure = /^.*(uncaught|unhandled).*$/im.exec(written)?.[0];
  return [
    ...(written.includes(bounds.SECRET) ? ["a secret stands in the log"] : []),
    ...(failure !== undefined ? [`the log has: ${failure.slice(0, 300)}`] : []),
    ...(written.length > bounds.LOG_BYTES_FLOOR + cases * bounds.LOG_BYTES_PER_CASE
      ? [`the log has grown by ${written.length} bytes: ${written.slice(0, 300)}`]
      : []),
  ];
}

/** How many stay open once attackers have gone and the service had time to close what they left. */
async function filesLeft(meter: Meter): Promise<number> {
  let [files, sinceMs] = [await meter.openFiles(), performance.now()];
  await waitUntil(async () => {
    const now = await meter.openFiles();
    if (now !== files) {
      [files, sinceMs] = [now, performance.now()];
    }
    return performance.now() - sinceMs > bounds.SETTLED_MS;
  }, bounds.CLOSING_LIMIT_MS).catch(() => {}); // then the last is told
  return files;
}

export function repeatable(seed: number, { number, kind }: Pick<Case, "number" | "kind">): string {
  return `case ${number}, ${kind.name} (npm run hostile -- --seed ${seed} --only ${number}):`;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
