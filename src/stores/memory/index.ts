export { type MemoryGateOptions, memoryGate } from "./gate.js";
export { createMemoryStore } from "./store.js";
