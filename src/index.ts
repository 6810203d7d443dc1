export {
  type CallContext,
  type Caller,
  DEFAULT_CALLER,
  type Execution,
  type Identification,
  requireExecution,
} from "./idempotency/call.js";
export type { ExecuteRequest } from "./idempotency/claiming.js";
export type { Clock } from "./idempotency/clock.js";
export { Code } from "./idempotency/code.js";
export {
  CallError,
  ClaimLost,
  ERROR_DOMAIN,
  type ErrorDescription,
  Final,
  NotExecuted,
  Parked,
  PUSHBACK_TRAILER,
  refusal,
  STATUS_DETAILS_TRAILER,
  StoreOverloaded,
} from "./idempotency/errors.js";
export type { ExecutorEvent } from "./idempotency/events.js";
export { createExecutor, type Executor, type ExecutorOptions } from "./idempotency/executor.js";
export { type Fingerprint, fingerprintOf, sameRequest } from "./idempotency/fingerprint.js";
export type { ServiceHandlers } from "./idempotency/handlers.js";
export { KEY_METADATA, type KeyReading, type KeySources, readKey } from "./idempotency/key.js";
export { type RepeatableMethod, repeatableMethods } from "./idempotency/methods.js";
export {
  type DeclaredClass,
  decodeOutcome,
  encodeOutcome,
  type MetadataEntry,
  type Outcome,
  type OutcomeClass,
  okOutcome,
} from "./idempotency/outcome.js";
export type { PeriodicWork } from "./idempotency/periodically.js";
export {
  type MethodPolicy,
  POLICY_DEFAULTS,
  type PolicyDefaults,
  PolicyError,
  policiesOf,
} from "./idempotency/policy.js";
export { type ReaperEvent, type ReaperOptions, startReaper } from "./idempotency/reaper.js";
export type { Next, Reason } from "./idempotency/reasons.js";
export {
  type Recovery,
  type RecoveryEvent,
  type RecoveryOptions,
  startRecovery,
} from "./idempotency/recovery.js";
export { REPLAYED_ENTRY, type Reply } from "./idempotency/reply.js";
export {
  executionOf,
  type RequestContext,
  requestContext,
} from "./idempotency/request-context.js";
export { deriveId, type Scope, scopeHash } from "./idempotency/scope.js";
export { type IncomingCall, serve } from "./idempotency/serve.js";
export type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
  OnLostOwner,
  RecordEvent,
  RecordFilter,
  RecordPage,
  RecordState,
  StoredRecord,
  Suspension,
  TakenOver,
} from "./idempotency/store.js";
