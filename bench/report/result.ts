import type { Line, Row } from "../rows.js";
import type { Sample } from "../sides/side.js";

/** A line that was measured. */
export interface MeasuredLine extends Line {
  /** Measured against the baseline of the same round; the figure itself where there is none. */
  readonly ratios: readonly number[];
}

/** A row, with what its sides did. */
export interface MeasuredRow extends MeasuredLine {
  readonly measuredSamples: readonly Sample[];
  readonly baselineSamples: readonly Sample[];
}

export interface LeftOutRow extends Row {
  readonly leftOut: string;
}

/** What is not one figure against another. */
export interface Table {
  readonly title: string;
  /** Each of them has the same columns, by their names. */
  readonly lines: readonly Readonly<Record<string, string | number>>[];
}

/** What came of a group. */
export interface GroupResult {
  readonly rows: readonly (MeasuredLine | MeasuredRow | LeftOutRow)[];
  readonly tables: readonly Table[];
}
