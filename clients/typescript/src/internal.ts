// The parts that the server shares with its callers. Only the packages of this project
// may import them, which are released together: any release may change them.
export { runAttempts } from "./attempts.js";
export { type Clock, sleep, systemClock } from "./clock.js";
export { Code, toCode } from "./code.js";
export {
  ERROR_DOMAIN,
  KEY_FIELD,
  KEY_METADATA,
  type Next,
  PUSHBACK_TRAILER,
  REPLAYED_ENTRY,
  STATUS_DETAILS_TRAILER,
} from "./names.js";
export { type RetrySettings, systemEnvironment } from "./options.js";
export { requiresKey } from "./required-key.js";
export type { Ending } from "./retry.js";
export { asBuffer, serviceDefinition } from "./service-definition.js";
