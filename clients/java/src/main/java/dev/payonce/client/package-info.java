/**
 * An interceptor that gives every call that needs one an idempotency key, and retries it without
 * ever becoming a second call.
 *
 * @see dev.payonce.client.IdempotencyInterceptor
 */
package dev.payonce.client;
