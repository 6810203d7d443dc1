export { Code } from "./idempotency/answers/code.js";
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
} from "./idempotency/answers/errors.js";
export type { Next, Reason } from "./idempotency/answers/reasons.js";
export { REPLAYED_ENTRY, type Reply } from "./idempotency/answers/reply.js";
export type { Clock } from "./idempotency/clock.js";
export type { Admission } from "./idempotency/execution/admission.js";
export type { Run } from "./idempotency/execution/attempt.js";
export {
  type CallContext,
  type Caller,
  DEFAULT_CALLER,
  type Execution,
  type Identification,
  type Ownership,
  type Role,
  requireExecution,
} from "./idempotency/execution/call.js";
export type { ExecuteRequest } from "./idempotency/execution/claiming.js";
export type { ExecutorEvent } from "./idempotency/execution/events.js";
export {
  createExecutor,
  type Executor,
  type ExecutorOptions,
} from "./idempotency/execution/executor.js";
export type { ServiceHandlers, ServiceValidators } from "./idempotency/execution/handlers.js";
export { type Answer, completeWithin, ownWithin } from "./idempotency/execution/ownership.js";
export {
  executionOf,
  type RequestContext,
  requestContext,
} from "./idempotency/execution/request-context.js";
export { type IncomingCall, serve } from "./idempotency/execution/serve.js";
export {
  type DeclaredClass,
  decodeOutcome,
  encodeOutcome,
  type MetadataEntry,
  type Outcome,
  type OutcomeClass,
  okOutcome,
} from "./idempotency/port/outcome.js";
export { deriveId, type Scope, scopeHash } from "./idempotency/port/scope.js";
export type {
  Claim,
  ClaimRequest,
  ClaimResult,
  Completion,
  IdempotencyStore,
  OnLostOwner,
  RecordEvent,
  RecordFilter,
  RecordPage,
  RecordState,
  StoredRecord,
  Suspension,
  TakenOver,
} from "./idempotency/port/store.js";
export type { PeriodicWork } from "./idempotency/recovery/periodically.js";
export {
  type ReaperEvent,
  type ReaperOptions,
  startReaper,
} from "./idempotency/recovery/reaper.js";
export {
  type Recovery,
  type RecoveryEvent,
  type RecoveryOptions,
  startRecovery,
} from "./idempotency/recovery/recovery.js";
export { type Fingerprint, fingerprintOf, sameRequest } from "./idempotency/request/fingerprint.js";
export {
  KEY_METADATA,
  type KeyReading,
  type KeySources,
  readKey,
} from "./idempotency/request/key.js";
export { type RepeatableMethod, repeatableMethods } from "./idempotency/request/methods.js";
export {
  type MethodPolicy,
  POLICY_DEFAULTS,
  type PolicyDefaults,
  PolicyError,
  policiesOf,
} from "./idempotency/request/policy.js";
