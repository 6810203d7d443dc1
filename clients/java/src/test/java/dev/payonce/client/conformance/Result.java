package dev.payonce.client.conformance;

/** What became of a call; {@code clients/conformance/README.md} explains the fields. */
record Result(
    String id,
    String code,
    String reason,
    String key,
    int attempts,
    boolean replayed,
    String response) {}
