import { PARTS } from "../lab/cpu.js";
import { lacksOf } from "../peers/peers.js";
import type { Sample } from "../sides/side.js";
import { figureOf, figures, summaryOf } from "./figures.js";
import type { GroupResult, LeftOutRow, MeasuredLine, MeasuredRow, Table } from "./result.js";

/** All rows as a Markdown table, what each side costs as another, and then the others. */
export function markdown({ rows, tables }: GroupResult): string {
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
    ...sideTable(measured.filter((row) => "measuredSamples" in row)),
    ...lackTable(measured),
    ...tables.flatMap(otherTable),
    ...leftOutLines(leftOut),
  ].join("\n");
}

function resultCells(row: MeasuredLine): readonly string[] {
  const { measured, baseline, atOnce, figure, ratios, floor, goal } = row;
  const { min, median, max } = summaryOf(ratios);
  return [
    measured,
    baseline ?? "",
    String(atOnce),
    baseline === undefined ? figures[figure].unit : figure,
    ...[min, median, max, floor, goal].map(rounded),
    verdictOf(row, median),
    row.peers === undefined
      ? ""
      : lacksOf(row.peers.measured)
          .map(({ what }) => what)
          .join("; "),
  ];
}

function sideTable(rows: readonly MeasuredRow[]): readonly string[] {
  const head = ["side", "at once", "calls/s", "p50 ms", "p99 ms"];
  const title = "Each side by itself, medians; CPU in ms a call:";
  return rows.length === 0
    ? []
    : ["", title, "", ...table([...head, ...PARTS.map((part) => `${part} CPU`)], sideCells(rows))];
}

/** Where it can be seen what the peers do not do, and ours beside them. */
function lackTable(rows: readonly MeasuredLine[]): readonly string[] {
  const names = new Set(
    rows.flatMap(({ peers }) => (peers === undefined ? [] : [peers.baseline, peers.measured])),
  );
  const lines = [...names].flatMap((name) =>
    lacksOf(name).map(({ what, seenIn }) => [name, what, seenIn]),
  );
  return lines.length === 0 ? [] : ["", ...table(["side", "does not", "seen in"], lines)];
}

function otherTable({ title, lines }: Table): readonly string[] {
  const head = Object.keys(lines[0] ?? {});
  const cells = lines.map((line) =>
    Object.values(line).map((value) =>
      typeof value === "string" || Number.isInteger(value) ? String(value) : rounded(value),
    ),
  );
  return ["", `${title}:`, "", ...table(head, cells)];
}

/** One line for each reason. */
function leftOutLines(rows: readonly LeftOutRow[]): readonly string[] {
  const reasons = new Set(rows.map(({ leftOut }) => leftOut));
  return [...reasons].map((reason) => {
    const names = rows.filter(({ leftOut }) => leftOut === reason).map(({ measured }) => measured);
    return `\nLeft out, as ${reason}: ${[...new Set(names)].join("; ")}`;
  });
}

function verdictOf({ figure, floor, goal }: MeasuredLine, median: number): string {
  const { better } = figures[figure];
  const reaches = (aim: number) => (better === "more" ? median >= aim : median <= aim);
  if (floor === undefined) {
    return "";
  }
  if (goal !== undefined && reaches(goal)) {
    return "goal reached";
  }
  return reaches(floor) ? "floor reached" : "below the floor";
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
    median(figureOf.throughput)?.toFixed(0) ?? "",
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
  if (value === undefined) {
    return "";
  }
  return value >= 1_000 ? value.toFixed(0) : value.toPrecision(2 + Number(value >= 1));
}
