package dev.payonce.client;

import io.grpc.CallOptions;
import io.grpc.stub.AbstractStub;
import java.util.function.Consumer;

/** What a caller can say about a single call, and learn from it. */
public final class Idempotency {
  static final CallOptions.Key<String> KEY =
      CallOptions.Key.create("dev.payonce.client.Idempotency.KEY");

  static final CallOptions.Key<Consumer<? super IdempotencyReport>> REPORT =
      CallOptions.Key.create("dev.payonce.client.Idempotency.REPORT");

  private Idempotency() {}

  /**
   * Returns a stub whose calls carry the given key. It is for one intent: make another stub for the
   * next one. A key that the call's metadata carries already is kept instead.
   *
   * @param stub a stub on a channel with an {@link IdempotencyInterceptor}
   * @param key 1 to 255 characters, each a visible ASCII character (0x21 to 0x7E)
   * @throws IllegalArgumentException if metadata cannot carry the key; the server refuses the rest
   */
  public static <S extends AbstractStub<S>> S withKey(S stub, String key) {
    return stub.withOption(KEY, KeyMetadata.requireSendable(key));
  }

  /** Does the same for a call that is made without a stub. */
  public static CallOptions withKey(CallOptions options, String key) {
    return options.withOption(KEY, KeyMetadata.requireSendable(key));
  }

  /**
   * Returns a stub whose calls tell the consumer what became of them. It is told once for each call
   * that needs a key and was sent, just before the call ends: a blocking call has reported when it
   * returns or throws.
   *
   * @param stub a stub on a channel with an {@link IdempotencyInterceptor}
   * @param consumer must neither block nor throw
   */
  public static <S extends AbstractStub<S>> S reportTo(
      S stub, Consumer<? super IdempotencyReport> consumer) {
    return stub.withOption(REPORT, consumer);
  }

  /** Does the same for a call that is made without a stub. */
  public static CallOptions reportTo(
      CallOptions options, Consumer<? super IdempotencyReport> consumer) {
    return options.withOption(REPORT, consumer);
  }
}
