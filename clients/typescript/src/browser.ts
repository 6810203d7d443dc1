// The stubs: services, schemas and types of the payment API.

export { callReport, connectInterceptor } from "./connect.js";
export { errorInfoOf, isDefinite } from "./definite.js";
export * from "./gen/payonce/payments/v1/payments_pb.js";
export {
  type DurableIntents,
  type DurableIntentsOptions,
  durableIntents,
  type Intent,
  type IntentStore,
} from "./intents.js";
export { KEY_METADATA } from "./names.js";
export type {
  CallReport,
  ClientOptions,
  Environment,
  KeylessCall,
  RetrySettings,
} from "./options.js";
export { isReplayed, type ReadableEntries } from "./replayed.js";
