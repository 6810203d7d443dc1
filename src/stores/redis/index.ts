export { type RedisGateEvent, type RedisGateOptions, redisGate } from "./gate.js";
export type { CreateLocks, HeldLock, Locks, LocksOptions } from "./locks.js";
export { connectRedisNodes } from "./nodes.js";
export { fromRedlock, type RedlockLike, type RedlockLock } from "./redlock-locks.js";
