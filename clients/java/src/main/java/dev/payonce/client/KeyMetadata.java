package dev.payonce.client;

import io.grpc.Metadata;

/** The metadata that carries a key, and the metadata that says what became of it. */
final class KeyMetadata {
  static final Metadata.Key<String> KEY =
      Metadata.Key.of("idempotency-key", Metadata.ASCII_STRING_MARSHALLER);

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);

  private KeyMetadata() {}

  /**
   * Returns the key. What metadata cannot carry, gRPC would send as question marks, which makes one
   * key of two: it is refused here. Whether it is a good key is for the server to say.
   *
   * @throws IllegalArgumentException if a character is not printable ASCII
   */
  static String requireSendable(String key) {
    if (!key.chars().allMatch(character -> character >= 0x20 && character <= 0x7e)) {
      throw new IllegalArgumentException(
          "An idempotency key must have visible ASCII characters (0x21 to 0x7E) only");
    }
    return key;
  }

  /** Whether the headers of an OK, or the trailers of an error, say that it was given before. */
  static boolean isReplayed(Metadata entries) {
    return "true".equals(entries.get(REPLAYED));
  }
}
