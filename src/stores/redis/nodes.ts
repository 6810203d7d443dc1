import { Redis } from "ioredis";

/**
 * A node that says nothing for this long, though it was asked, is left: its
 * connection would keep every command since. Milliseconds.
 */
const SILENCE_TIMEOUT_MS = 2_000;

/** The longest time between two attempts to connect to a dead node. Milliseconds. */
const MAX_RECONNECT_DELAY_MS = 1_000;

/**
 * Connects to independent nodes, one client for each URL. Commands to a node that
 * is away fail at once instead of queueing; `onError` gets the errors of connections.
 */
export function connectRedisNodes(
  urls: readonly string[],
  onError: (url: string, error: Error) => void,
): readonly Redis[] {
  return urls.map((url) => {
    const node = new Redis(url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      socketTimeout: SILENCE_TIMEOUT_MS,
      connectTimeout: MAX_RECONNECT_DELAY_MS,
      retryStrategy: (times) => Math.min(50 * times, MAX_RECONNECT_DELAY_MS),
    });
    node.on("error", (error: Error) => onError(url, error));
    return node;
  });
}
