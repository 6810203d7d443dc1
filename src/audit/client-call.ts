import { Code } from "../idempotency/answers/code.js";
import { classify, type MetadataEntry } from "../idempotency/port/outcome.js";
import type { Scope } from "../idempotency/port/scope.js";

/** One call as its client saw it. */
export interface ClientCall {
  readonly scope: Scope;
  /** The canonical fingerprint of the request, in hexadecimal: equal for equal requests. */
  readonly request: string;
  /** The time at which the call began, on one clock for all calls of a log. Milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly code: Code;
  /** The reason in ErrorInfo. Absent for an OK, and where no answer came. */
  readonly reason?: string;
  readonly message: string;
  readonly body: Uint8Array;
  /** Without what marks a replay. */
  readonly headers: readonly MetadataEntry[];
  readonly trailers: readonly MetadataEntry[];
  readonly isReplayed: boolean;
}

/** The meaning of an answer for the key of its call. */
export type CallMeaning =
  /** The key's answer for good. */
  | "answer"
  /** An execution is under way, or its outcome is not known. */
  | "in_progress"
  /** The handler ran and did nothing; the key is free again. */
  | "not_executed"
  /** The key stands for another request. */
  | "reused"
  /** Nothing: the call may have acted or not, or was refused before its key was looked up. */
  | "nothing";

const meaningByReason: ReadonlyMap<string, CallMeaning> = new Map([
  ["REQUEST_IN_PROGRESS", "in_progress"],
  ["CLAIM_LOST", "in_progress"],
  ["OUTCOME_UNKNOWN", "in_progress"],
  ["IDEMPOTENCY_KEY_REUSED", "reused"],
  ["IDEMPOTENCY_KEY_EXPIRED", "nothing"],
  ["PAYMENT_BUSY", "not_executed"],
]);

const REFUSED_BEFORE_THE_KEY: ReadonlySet<Code> = new Set([
  Code.UNAUTHENTICATED,
  Code.PERMISSION_DENIED,
  Code.UNIMPLEMENTED,
]);

export function meaningOf({ code, reason, isReplayed }: ClientCall): CallMeaning {
  if (reason === "PAYMENT_NOT_FOUND" && !isReplayed) {
    return "not_executed"; // or final, which only its replay tells: see admit-operation.ts
  }
  const known = reason === undefined ? undefined : meaningByReason.get(reason);
  if (known !== undefined) {
    return known;
  }
  switch (classify(code, undefined, 1)) {
    case "final":
      return "answer";
    case "not_executed":
      return REFUSED_BEFORE_THE_KEY.has(code) ? "nothing" : "not_executed";
    case "unknown":
      return "nothing";
  }
}

/** All that a replay must repeat, as text that is equal for equal answers. */
export function answerText({ code, message, body, headers, trailers }: ClientCall): string {
  const entries = [headers, trailers].map((list) => list.map(entryText).sort());
  return JSON.stringify([code, message, Buffer.from(body).toString("hex"), ...entries]);
}

/** A metadata entry as text; a name that repeats gives several. */
export function entryText([name, value]: MetadataEntry): string {
  return `${name}: ${typeof value === "string" ? value : Buffer.from(value).toString("hex")}`;
}
