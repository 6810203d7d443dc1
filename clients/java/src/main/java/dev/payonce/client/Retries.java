package dev.payonce.client;

import java.util.concurrent.ScheduledExecutorService;

/**
 * How calls are retried.
 *
 * @param policy which answers are worth another attempt
 * @param scheduler times the waits; it only hands over to a call's executor
 */
record Retries(RetryPolicy policy, ScheduledExecutorService scheduler) {}
