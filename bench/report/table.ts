import { PARTS } from "../lab/cpu.js";
import { lacksOf } from "../peers/peers.js";
import type { LeftOutRow, MeasuredRow } from "../run-group.js";
import type { Sample } from "../sides/side.js";
import { figures, summaryOf } from "./figures.js";

/** All rows as a Markdown table, and what each side costs as another. */
export function markdown(rows: readonly (MeasuredRow | LeftOutRow)[]): string {
  const measured = rows.filter((row) => "ratios" in row);
  const leftOut = rows.filter((row) => "leftOut" in row);
  return [
    ...table(
      [
        ...["measured", "against", "at once", "figure", "min", "median", "max", "floor", "goal"],
        ...["", "what it does not do"],
      ],
      measured.map(resultCells),
    ),
    "",
    "Each side by itself, medians; CPU in ms a call:",
    "",
    ...table(
      ["side", "at once", "calls/s", "p50 ms", "p99 ms", ...PARTS.map((part) => `${part} CPU`)],
      sideCells(measured),
    ),
    ...lackTable(measured),
    ...leftOutLines(leftOut),
  ].join("\n");
}

function resultCells(row: MeasuredRow): readonly string[] {
  const { measured, baseline = "", atOnce, figure, ratios, floor, goal } = row;
  const { min, median, max } = summaryOf(ratios);
  return [
    measured,
    baseline,
    String(atOnce),
    figure,
    ...[min, median, max, floor, goal].map(rounded),
    verdictOf(row, median),
    row.peers === undefined
      ? ""
      : lacksOf(row.peers.measured)
          .map(({ what }) => what)
          .join("; "),
  ];
}

/** Where it can be seen what the peers do not do, and ours beside them. */
function lackTable(rows: readonly MeasuredRow[]): readonly string[] {
  const names = new Set(
    rows.flatMap(({ peers }) => (peers === undefined ? [] : [peers.baseline, peers.measured])),
  );
  const lines = [...names].flatMap((name) =>
    lacksOf(name).map(({ what, seenIn }) => [name, what, seenIn]),
  );
  return lines.length === 0 ? [] : ["", ...table(["side", "does not", "seen in"], lines)];
}

/** One line for each reason. */
function leftOutLines(rows: readonly LeftOutRow[]): readonly string[] {
  const reasons = new Set(rows.map(({ leftOut }) => leftOut));
  return [...reasons].map((reason) => {
    const names = rows.filter(({ leftOut }) => leftOut === reason).map(({ measured }) => measured);
    return `\nLeft out, as ${reason}: ${[...new Set(names)].join("; ")}`;
  });
}

function verdictOf({ figure, floor, goal }: MeasuredRow, median: number): string {
  const reaches = (aim: number) =>
    figures[figure].better === "more" ? median >= aim : median <= aim;
  if (floor === undefined || goal === undefined) {
    return "";
  }
  return reaches(goal) ? "goal reached" : reaches(floor) ? "floor reached" : "below the floor";
}

/** Every side once for each number of calls at once. */
function sideCells(rows: readonly MeasuredRow[]): readonly (readonly string[])[] {
  const cells = new Map<string, readonly string[]>();
  for (const { group, measured, baseline, atOnce, measuredSamples, baselineSamples } of rows) {
    for (const [name, samples] of [
      [measured, measuredSamples],
      [baseline, baselineSamples],
    ] as const) {
      if (name !== undefined) {
        cells.set(`${group} ${name} ${atOnce}`, [name, String(atOnce), ...costCells(samples)]);
      }
    }
  }
  return [...cells.values()];
}

function costCells(samples: readonly Sample[]): readonly string[] {
  const median = (of: (sample: Sample) => number | undefined) => {
    const values = samples.flatMap((sample) => of(sample) ?? []);
    return values.length === 0 ? undefined : summaryOf(values).median;
  };
  return [
    median(figures.throughput.of)?.toFixed(0) ?? "",
    rounded(median(({ latency }) => latency?.p50Ms)),
    rounded(median(({ latency }) => latency?.p99Ms)),
    ...PARTS.map((part) => rounded(median(({ cpuMs: { [part]: ms }, calls }) => ms && ms / calls))),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "-")), ...rows.map(line)];
}

function rounded(value: number | undefined): string {
  return value === undefined ? "" : value.toPrecision(2 + Number(value >= 1));
}
