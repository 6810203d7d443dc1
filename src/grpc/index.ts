export { idempotent, serviceDefinition } from "./definition.js";
export { toServiceError } from "./errors.js";
export { serviceImplementation } from "./implementation.js";
export { type IdempotencyInterceptorOptions, idempotencyInterceptor } from "./interceptor.js";
