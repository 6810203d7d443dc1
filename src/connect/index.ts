export { type Authenticate, authenticationGate, type RequestGate } from "./authenticate.js";
export { toConnectError } from "./errors.js";
export { type IdempotentOptions, idempotent } from "./idempotent.js";
export { serviceImplementation } from "./implementation.js";
export {
  connectNodeListener,
  type NodeListenerOptions,
  type ReceivedBody,
} from "./node-listener.js";
export { ROUTER_OPTIONS } from "./router-options.js";
