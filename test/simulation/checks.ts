import type { Scope } from "../../src/idempotency/scope.js";
import { nameOf } from "./calls.js";
import type { HistoryEntry } from "./clients.js";
import type { Observer } from "./observer.js";
import type { Effect } from "./processor.js";

/** What a world has left behind. */
export interface Remains {
  readonly scopes: readonly Scope[];
  readonly observer: Observer;
  readonly history: readonly HistoryEntry[];
  readonly journal: readonly Effect[];
}

/** What must be true of every key once all is over; reports what is not. */
export function check({ scopes, observer, history, journal }: Remains): void {
  for (const scope of scopes) {
    const name = nameOf(scope);
    const effects = journal.filter(({ claim }) => nameOf(claim.scope) === name);
    checkEffects(scope, effects, observer);
    checkHistory(
      scope,
      history.filter(({ call }) => nameOf(call.scope) === name),
      observer,
    );
  }
  checkAmount(journal, observer);
}

/** All payments are captures of one unit. */
function checkAmount(journal: readonly Effect[], observer: Observer): void {
  const captures = journal.filter(({ claim }) => claim.scope.operation === "payment");
  const second = captures[1];
  if (second !== undefined) {
    const names = captures.map(({ claim }) => nameOf(claim.scope)).join(", ");
    observer.report("captured_too_much", second.claim.scope, `one unit was captured by ${names}`);
  }
}

function checkEffects(scope: Scope, effects: readonly Effect[], observer: Observer): void {
  const lives = observer.lives(scope);
  if (effects.length > 1) {
    const keys = effects.map(({ processorKey }) => processorKey).join(", ");
    observer.report("effect_repeated", scope, `${effects.length} effects, under ${keys}`);
  }
  for (const { claim } of effects) {
    const life = lives.find(({ tokens }) => tokens.includes(claim.fencingToken));
    if (life?.releasedAtMs !== undefined) {
      const told = `its key was freed at ${life.releasedAtMs}`;
      observer.report("not_executed_but_acted", scope, `token ${claim.fencingToken}, ${told}`);
    } else if (life?.completion === undefined) {
      observer.report("effect_without_answer", scope, `token ${claim.fencingToken}`);
    }
  }
  const answer = lives.at(-1)?.completion?.content ?? "";
  if (answer.includes("approved") !== effects.length > 0) {
    observer.report("answer_without_effect", scope, `${effects.length} effects, ${answer}`);
  }
}

/**
 * A key is a register that is written once: one request is executed, and from
 * the first answer on there is no other. What is indeterminate fits anywhere.
 */
function checkHistory(scope: Scope, entries: readonly HistoryEntry[], observer: Observer): void {
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
