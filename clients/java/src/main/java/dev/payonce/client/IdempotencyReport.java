package dev.payonce.client;

/**
 * What became of a call that needs a key.
 *
 * @param key the key of every attempt; after an answer that is not definite, the same call can be
 *     sent again under it at any time
 * @param attempts how many attempts were sent, the first included
 * @param replayed whether the answer was given before, to an earlier attempt or call under this key
 */
public record IdempotencyReport(String key, int attempts, boolean replayed) {}
