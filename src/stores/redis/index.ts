export { type RedisGateEvent, type RedisGateOptions, redisGate } from "./gate.js";
export { connectRedisNodes } from "./nodes.js";
