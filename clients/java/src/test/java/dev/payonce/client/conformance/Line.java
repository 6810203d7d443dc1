package dev.payonce.client.conformance;

import com.google.gson.JsonObject;

/**
 * A call that the driver is told to make; {@code clients/conformance/README.md} explains the
 * fields. What is optional is null.
 */
record Line(
    String id,
    String target,
    String method,
    JsonObject request,
    String requestBytes,
    String key,
    long deadlineMs,
    Long cancelAfterMs,
    String serviceConfig,
    Options options) {

  record Options(Integer maxAttempts, Long initialBackoffMs, Long maxBackoffMs) {}
}
