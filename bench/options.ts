import { parseArgs } from "node:util";
import { type Row, rows } from "./rows.js";
import type { Rounds } from "./run-group.js";
import { type StudyName, studies } from "./studies.js";

/** How much of what the long groups do. */
export interface Sizes {
  /** In the store of record that holds many. */
  readonly records: number;
  /** That readers page through. */
  readonly payments: number;
  /** Of load, while memory is watched. */
  readonly minutes: number;
}

export interface Options extends Rounds, Sizes {
  readonly rows: readonly Row[];
  readonly studies: readonly StudyName[];
  /** The file's name in `bench/results`, without its ending. */
  readonly label: string;
}

/** These take long, and run only where they are named. */
const LONG_GROUPS: readonly string[] = ["scale", "memory", "overload", "reads", "first-minute"];

/** Reads the command line. @throws with what an option accepts. */
export function readOptions(nowMs: number): Options {
  const { values } = parseArgs({
    options: {
      rows: { type: "string" },
      concurrency: { type: "string" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      records: { type: "string", default: "10000000" },
      payments: { type: "string", default: "50000" },
      minutes: { type: "string", default: "10" },
      label: { type: "string", default: new Date(nowMs).toISOString().replaceAll(":", "-") },
    },
  });
  const groups =
    values.rows?.split(",") ?? groupNames().filter((group) => !LONG_GROUPS.includes(group));
  const atOnce = values.concurrency?.split(",").map(Number);
  const unknown = groups.find((group) => !groupNames().includes(group));
  if (unknown !== undefined) {
    throw new Error(`--rows accepts ${groupNames().join(", ")}, separated by commas`);
  }
  const chosen = rows.filter(
    (row) => groups.includes(row.group) && (atOnce?.includes(row.atOnce) ?? true),
  );
  const chosenStudies = studyNames().filter((name) => groups.includes(name));
  if (chosen.length + chosenStudies.length === 0) {
    const numbers = [...new Set(rows.map((row) => row.atOnce))];
    throw new Error(`--concurrency accepts ${numbers.join(", ")}, separated by commas`);
  }
  return {
    rows: chosen,
    studies: chosenStudies,
    rounds: positive("--rounds", values.rounds),
    seconds: positive("--seconds", values.seconds),
    records: Math.ceil(positive("--records", values.records)),
    payments: Math.ceil(positive("--payments", values.payments)),
    minutes: positive("--minutes", values.minutes),
    label: values.label,
  };
}

function groupNames(): readonly string[] {
  return [...new Set(rows.map(({ group }) => group)), ...studyNames()];
}

function studyNames(): readonly StudyName[] {
  return Object.keys(studies) as StudyName[]; // its keys, as its type says
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) {
    throw new Error(`${name} accepts a number above 0`);
  }
  return number;
}
