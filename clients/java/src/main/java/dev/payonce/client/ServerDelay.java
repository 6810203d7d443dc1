package dev.payonce.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Metadata;
import java.time.Duration;
import java.util.Optional;

/**
 * What the trailers of an answer say about the next attempt.
 *
 * @param isFinal whether there must be none
 * @param delay how long to wait before it, if the server says so
 */
record ServerDelay(boolean isFinal, Optional<Duration> delay) {
  /** Stands for a pushback that is no delay, which means "do not retry" (gRFC A6). */
  private static final long NO_RETRY = -1;

  private static final Metadata.Key<Long> PUSHBACK_MS =
      Metadata.Key.of(
          "grpc-retry-pushback-ms",
          new Metadata.AsciiMarshaller<Long>() {
            @Override
            public String toAsciiString(Long value) {
              return value.toString();
            }

            @Override
            public Long parseAsciiString(String text) {
              try {
                return Long.valueOf(text);
              } catch (NumberFormatException notANumber) {
                return NO_RETRY;
              }
            }
          });

  private static final Metadata.Key<byte[]> STATUS_DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  /** The most that a protobuf duration may hold: 10,000 years. */
  private static final long MAX_SECONDS = 315_576_000_000L;

  /** Reads the pushback, and RetryInfo where there is none. */
  static ServerDelay in(Metadata trailers) {
    Long pushbackMs = trailers.get(PUSHBACK_MS);
    if (pushbackMs == null) {
      return new ServerDelay(false, retryInfoDelay(trailers.get(STATUS_DETAILS)));
    }
    return pushbackMs < 0
        ? new ServerDelay(true, Optional.empty())
        : new ServerDelay(false, Optional.of(Duration.ofMillis(pushbackMs)));
  }

  private static Optional<Duration> retryInfoDelay(byte[] statusDetails) {
    if (statusDetails == null) {
      return Optional.empty();
    }
    try {
      for (Any detail : Status.parseFrom(statusDetails).getDetailsList()) {
        if (detail.is(RetryInfo.class)) {
          RetryInfo info = detail.unpack(RetryInfo.class);
          return info.hasRetryDelay()
              ? Optional.of(toJava(info.getRetryDelay()))
              : Optional.empty();
        }
      }
    } catch (InvalidProtocolBufferException malformed) {
      // Anything may stand in a trailer; the status itself still counts.
    }
    return Optional.empty();
  }

  private static Duration toJava(com.google.protobuf.Duration delay) {
    long seconds = Math.min(Math.max(delay.getSeconds(), 0), MAX_SECONDS);
    return Duration.ofSeconds(seconds, Math.max(delay.getNanos(), 0));
  }
}
