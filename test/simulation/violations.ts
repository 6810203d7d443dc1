/** What must never happen. */
export type ViolationKind =
  | "second_owner"
  | "token_does_not_grow"
  | "late_owner_wrote"
  | "executed_twice"
  | "another_request_executed"
  | "answer_not_durable"
  | "answer_out_of_nowhere"
  | "executed_after_a_definite_answer"
  | "not_executed_but_acted"
  | "resolved_what_is_not_held"
  | "reservation_left"
  | "effect_repeated"
  | "captured_too_much"
  | "not_reconciled"
  | "answers_differ"
  | "history_not_linearizable"
  | "effect_without_answer"
  | "answer_without_effect"
  | "wedged"
  | "failed";

export interface Violation {
  readonly kind: ViolationKind;
  /** Of the key. */
  readonly name: string;
  readonly detail: string;
  /** How many lines the trace had. */
  readonly line: number;
}
