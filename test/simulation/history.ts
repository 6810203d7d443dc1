import type { Scope } from "../../src/idempotency/port/scope.js";
import type { HistoryEntry } from "./clients.js";
import type { Observer } from "./observer.js";

/** Between these moments a database was restored, and not everybody knew it. */
export interface Break {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * A restored database may have lost an answer, and give another one: the parts
 * of a history before and after are each looked at by themselves.
 */
export function checkHistory(
  scope: Scope,
  entries: readonly HistoryEntry[],
  { observer, restored }: { readonly observer: Observer; readonly restored: Break | undefined },
): void {
  if (restored === undefined) {
    checkRegister(scope, entries, observer);
    return;
  }
  const { fromMs, toMs } = restored;
  const before = entries.filter(({ answeredAtMs = fromMs }) => answeredAtMs < fromMs);
  const after = entries.filter(({ call }) => call.sentAtMs >= toMs);
  checkRegister(scope, before, observer);
  checkRegister(scope, after, observer);
}

/**
 * A key is a register that is written once: one request is executed, and from
 * the first answer on there is no other. What is indeterminate fits anywhere.
 */
function checkRegister(scope: Scope, entries: readonly HistoryEntry[], observer: Observer): void {
  const answered = entries.flatMap(({ call, answer, answeredAtMs }) =>
    answer === undefined || answeredAtMs === undefined ? [] : [{ call, answer, answeredAtMs }],
  );
  const finals = answered.filter(({ answer }) => answer.meaning === "final");
  const [first] = finals;
  if (first === undefined) {
    return;
  }
  for (const { call, answer } of finals) {
    if (answer.content !== first.answer.content) {
      const both = `${first.answer.content} and ${answer.content}`;
      observer.report("answers_differ", scope, `${first.call.id} and ${call.id} got ${both}`);
    }
    if (call.request !== first.call.request) {
      observer.report("answers_differ", scope, `two requests were answered`);
    }
  }
  const knownFromMs = Math.min(...finals.map(({ answeredAtMs }) => answeredAtMs));
  for (const { call, answer } of answered.filter(({ call }) => call.sentAtMs > knownFromMs)) {
    const isOther = call.request !== first.call.request;
    const allowed = isOther ? ["key_reused"] : ["final", "key_expired"];
    if (![...allowed, "indeterminate", "not_asked"].includes(answer.meaning)) {
      observer.report(
        "history_not_linearizable",
        scope,
        `${call.id} got ${answer.meaning} after ${first.call.id} had its final answer`,
      );
    }
  }
}
