import { readFileSync } from "node:fs";
import type { Code } from "../../../src/idempotency/answers/code.js";
import type { Call } from "./driver.js";

/** What the server does to one attempt. `clients/conformance/README.md` explains each. */
export type Attempt =
  | "forward"
  | "lose reply"
  | "cut"
  | "hang"
  | { readonly away: number }
  | { readonly answer: ScriptedAnswer };

export interface ScriptedAnswer {
  readonly code: keyof typeof Code;
  readonly reason?: string;
  readonly delayMs?: number;
  readonly retryInfoMs?: number;
  readonly pushbackMs?: number;
}

/** One case of `clients/conformance/cases.json`. */
export interface Case {
  readonly name: string;
  readonly call: Partial<Call>;
  readonly before?: Pick<Call, "request">;
  readonly unreachableForMs?: number;
  readonly server: readonly Attempt[];
  readonly wire: {
    readonly calls: number | readonly [least: number, most: number];
    readonly keys: "given" | "uuid" | "none";
    readonly gapsMs?: readonly number[];
    readonly withinMs?: number;
  };
  readonly answer: {
    readonly code: keyof typeof Code;
    readonly reason?: string;
    readonly replayed?: boolean;
    readonly attempts?: number;
  };
  readonly effects: number;
  /** Where retries by the channel fall short; without it, they pass too. */
  readonly native?: {
    /** The clients that pass all the same. */
    readonly passes: readonly string[];
    readonly why: string;
    /** What differs for the others, where that is not left to chance. */
    readonly instead?: Partial<Pick<Case, "call" | "wire" | "answer" | "effects">>;
  };
}

/** The stand-in for a fresh key. */
export const KEY_PLACEHOLDER = "$key";

const CASES_FILE = new URL("../../../clients/conformance/cases.json", import.meta.url);

export const cases: readonly Case[] = JSON.parse(readFileSync(CASES_FILE, "utf8"));
