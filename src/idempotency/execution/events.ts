import type { Reason } from "../answers/reasons.js";
import type { Scope } from "../port/scope.js";

/** An event of an executor, for a log or a metric. */
export type ExecutorEvent =
  | { readonly type: "executed"; readonly scope: Scope; readonly durationMs: number }
  | { readonly type: "replayed"; readonly scope: Scope }
  | { readonly type: "refused"; readonly scope: Scope; readonly reason: Reason }
  | { readonly type: "outcome_unknown"; readonly scope: Scope; readonly reason: string }
  | { readonly type: "store_failed"; readonly scope: Scope; readonly error: unknown };
