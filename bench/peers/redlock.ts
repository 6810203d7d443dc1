import { Redis } from "ioredis";
import Redlock from "redlock";
import { type ConnectPeer, KEPT_MS, LEASE_MS, PREFIX } from "./peer.js";

/** The `redlock` package over one node, and a cache of answers by hand. */
export const connectRedlock: ConnectPeer = async ({ handler, redisUrl }) => {
  // Commands sent in one turn of the event loop share a write.
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  return () => {
    const redlock = new Redlock([redis], { retryCount: 0 });
    return async (key) => {
      const name = `${PREFIX}:answer:${key}`;
      const kept = await redis.get(name);
      if (kept !== null) {
        return kept;
      }
      const lock = await redlock.acquire([`${PREFIX}:lock:${key}`], LEASE_MS);
      try {
        // Whoever had the lock before may have answered since.
        const keptSince = await redis.get(name);
        if (keptSince !== null) {
          return keptSince;
        }
        const answer = await handler(key);
        await redis.set(name, answer, "PX", KEPT_MS);
        return answer;
      } finally {
        await lock.release();
      }
    };
  };
};
