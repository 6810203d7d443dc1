export * from "./browser.js";
export { fileIntentStore } from "./file-intents.js";
export {
  type GrpcClientOptions,
  grpcInterceptor,
  type KeyedCalls,
  NATIVE_RETRIES_OFF,
  withReport,
} from "./grpc.js";
export {
  INTENTS_TABLE_SQL,
  type IntentQueries,
  type IntentRow,
  postgresIntentStore,
} from "./postgres-intents.js";
export { serviceDefinition } from "./service-definition.js";
