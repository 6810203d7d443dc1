import { createExecutor } from "../../../src/idempotency/execution/executor.js";
import { createMemoryStore } from "../../../src/stores/memory/index.js";
import { connectRedisNodes, redisGate } from "../../../src/stores/redis/index.js";
import { callOf, holdPolicy, ok } from "./calls.js";

// A program that uses all of it, closes what it opened and then has to end by
// itself: a timer or a promise left behind keeps it alive, or kills it.

const nodes = connectRedisNodes(process.argv.slice(2), () => {});
const store = redisGate({
  store: createMemoryStore(),
  nodes,
  namespace: () => `test:process-${process.pid}`,
  copyTtlMs: 60_000,
});
const executor = createExecutor({ store });
const policy = { ...holdPolicy, inFlightWaitMs: 5_000, leaseMs: 300 };
// Longer than several heartbeats.
const slowly = () => new Promise<void>((resolve) => setTimeout(resolve, 200));

const endings = [
  async () => ok(),
  async () => Promise.reject(new Error("no reply")),
  async () => ({ ...ok(), code: 3 as const }),
];
const codes: number[] = [];
for (const ending of endings) {
  const call = callOf({ policy, run: () => slowly().then(ending) });
  const replies = await Promise.all([1, 2, 3].map(() => executor.execute(call)));
  codes.push(...replies.map(({ code }) => code));
}
await executor.drained();
for (const node of nodes) {
  node.disconnect();
}
console.log(codes.join(" "));
