import { parseArgs } from "node:util";
import { type Row, rows } from "./rows.js";
import type { Rounds } from "./run-group.js";

export interface Options extends Rounds {
  readonly rows: readonly Row[];
  /** The file's name in `bench/results`, without its ending. */
  readonly label: string;
}

/** Reads the command line. @throws with what an option accepts. */
export function readOptions(nowMs: number): Options {
  const { values } = parseArgs({
    options: {
      rows: { type: "string" },
      concurrency: { type: "string" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      label: { type: "string", default: new Date(nowMs).toISOString().replaceAll(":", "-") },
    },
  });
  const groups = values.rows?.split(",") ?? groupNames();
  const atOnce = values.concurrency?.split(",").map(Number);
  const unknown = groups.find((group) => !groupNames().includes(group));
  if (unknown !== undefined) {
    throw new Error(`--rows accepts ${groupNames().join(", ")}, separated by commas`);
  }
  const chosen = rows.filter(
    (row) => groups.includes(row.group) && (atOnce?.includes(row.atOnce) ?? true),
  );
  if (chosen.length === 0) {
    const numbers = [...new Set(rows.map((row) => row.atOnce))];
    throw new Error(`--concurrency accepts ${numbers.join(", ")}, separated by commas`);
  }
  return {
    rows: chosen,
    rounds: positive("--rounds", values.rounds),
    seconds: positive("--seconds", values.seconds),
    label: values.label,
  };
}

function groupNames(): readonly string[] {
  return [...new Set(rows.map(({ group }) => group))];
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) {
    throw new Error(`${name} accepts a number above 0`);
  }
  return number;
}
