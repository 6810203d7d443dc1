import type { Lab } from "./lab/lab.js";
import type { Sizes } from "./options.js";
import { figureOf } from "./report/figures.js";
import type { GroupResult, LeftOutRow, MeasuredRow } from "./report/result.js";
import type { Row } from "./rows.js";
import { type Load, type Sample, type Side, Unavailable } from "./sides/side.js";
import { type Bench, createBench, type SideName, sides } from "./sides/sides.js";

/** By then what is called often is compiled. Slow sides get less. */
const WARM_UP_CALLS = 3_000;
const WARM_UP_LIMIT_SECONDS = 10;

/** Each turn begins with this much that does not count: others had the machine's caches before. */
const LEAD_IN_SECONDS = 0.5;

export interface Rounds {
  readonly rounds: number;
  /** Of one side in one round. */
  readonly seconds: number;
}

/** Measures the rows of one group, which share their servers. @throws if any work was wrong. */
export async function runGroup(
  lab: Lab,
  rows: readonly Row[],
  options: Rounds & Sizes,
): Promise<GroupResult> {
  const { rounds, seconds } = options;
  const bench = createBench(lab, options);
  const { started, unavailable } = await startSides(bench, new Set(rows.flatMap(sidesOf)));
  const mostAtOnce = Math.max(...rows.map(({ atOnce }) => atOnce));
  for (const [name, side] of started) {
    await warmUp(name, side, { seconds, atOnce: mostAtOnce });
  }
  const results: (MeasuredRow | LeftOutRow)[] = [];
  for (const atOnce of new Set(rows.map((row) => row.atOnce))) {
    const chosen = rows.filter((row) => row.atOnce === atOnce);
    const needed = new Set(chosen.flatMap(sidesOf));
    const taking = new Map([...started].filter(([name]) => needed.has(name)));
    const samples = await takeTurns(taking, { rounds, seconds, atOnce });
    for (const row of chosen) {
      const reason = sidesOf(row).flatMap((name) => unavailable.get(name) ?? [])[0];
      results.push(reason === undefined ? compare(row, samples) : { ...row, leftOut: reason });
    }
  }
  return { rows: results, tables: await bench.tables() };
}

async function startSides(bench: Bench, names: ReadonlySet<SideName>) {
  const started = new Map<SideName, Side>();
  const unavailable = new Map<SideName, string>();
  for (const name of names) {
    try {
      started.set(name, await sides[name](bench));
    } catch (cause) {
      if (!(cause instanceof Unavailable)) {
        throw new Error(`${name}: ${String(cause)}`, { cause });
      }
      unavailable.set(name, cause.message);
    }
  }
  return { started, unavailable };
}

async function warmUp(name: SideName, side: Side, load: Load): Promise<void> {
  let calls = 0;
  for (let seconds = 0; calls < WARM_UP_CALLS && seconds < WARM_UP_LIMIT_SECONDS; ) {
    const sample = await measure(name, side, load);
    calls += sample.calls;
    seconds += sample.seconds;
  }
}

/** Every side once a round; each round in the other order than the one before. */
async function takeTurns(
  taking: ReadonlyMap<SideName, Side>,
  { rounds, ...load }: Rounds & Load,
): Promise<ReadonlyMap<SideName, readonly Sample[]>> {
  const samples = new Map([...taking.keys()].map((name): [SideName, Sample[]] => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? [...taking] : [...taking].reverse();
    for (const [name, side] of order) {
      await measure(name, side, { ...load, seconds: LEAD_IN_SECONDS });
      samples.get(name)?.push(await measure(name, side, load));
    }
  }
  return samples;
}

async function measure(name: SideName, side: Side, load: Load): Promise<Sample> {
  try {
    return await side.measure(load);
  } catch (cause) {
    throw new Error(`${name}, ${load.atOnce} at once: ${String(cause)}`, { cause });
  }
}

function compare(row: Row, samples: ReadonlyMap<SideName, readonly Sample[]>): MeasuredRow {
  const measuredSamples = samples.get(row.measured) ?? [];
  const baselineSamples = row.baseline === undefined ? [] : (samples.get(row.baseline) ?? []);
  const figure = figureOf[row.figure];
  const ratios = measuredSamples.map((sample, round) => {
    const baseline = baselineSamples[round];
    return baseline === undefined ? figure(sample) : figure(sample) / figure(baseline);
  });
  return { ...row, ratios, measuredSamples, baselineSamples };
}

function sidesOf({ measured, baseline }: Row): readonly SideName[] {
  return baseline === undefined ? [measured] : [measured, baseline];
}
