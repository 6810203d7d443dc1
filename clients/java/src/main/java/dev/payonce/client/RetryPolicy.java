package dev.payonce.client;

import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * Which answers are worth another attempt, and when.
 *
 * @param maxAttempts the most attempts of one call, the first included
 * @param initialBackoff the longest backoff before the first retry without a server's delay
 * @param maxBackoff the longest backoff before any retry without a server's delay
 */
record RetryPolicy(int maxAttempts, Duration initialBackoff, Duration maxBackoff) {
  /** CANCELLED, because that is what a connection that broke may end with. */
  private static final Set<Status.Code> RETRYABLE =
      EnumSet.of(Status.Code.ABORTED, Status.Code.UNAVAILABLE, Status.Code.CANCELLED);

  /** Doubling further cannot matter: a nanosecond becomes more than a century. */
  private static final int MAX_DOUBLINGS = 62;

  RetryPolicy {
    if (maxAttempts < 1) {
      throw new IllegalArgumentException("maxAttempts must be at least 1");
    }
    if (initialBackoff.isNegative()) {
      throw new IllegalArgumentException("initialBackoff must not be negative");
    }
    if (maxBackoff.isNegative()) {
      throw new IllegalArgumentException("maxBackoff must not be negative");
    }
  }

  /**
   * Returns how long to wait before the next attempt; empty if the answer is final. It is for the
   * caller of this method to know that nobody cancelled, and that the delay fits into the deadline.
   *
   * @param attempts how many were sent so far
   * @param random at least 0 and below 1
   */
  Optional<Duration> delayAfter(int attempts, Status status, Metadata trailers, double random) {
    if (status.isOk() || attempts >= maxAttempts) {
      return Optional.empty();
    }
    ServerDelay server = ServerDelay.in(trailers);
    if (server.isFinal()) {
      return Optional.empty();
    }
    if (server.delay().isPresent()) {
      // Callers who were told the same do not come back together.
      return server.delay().map(delay -> delay.plus(part(initialBackoff, random)));
    }
    return RETRYABLE.contains(status.getCode())
        ? Optional.of(part(longestBackoff(attempts - 1), random))
        : Optional.empty();
  }

  private Duration longestBackoff(int retriesSoFar) {
    double nanos = toNanos(initialBackoff) * Math.pow(2, Math.min(retriesSoFar, MAX_DOUBLINGS));
    return nanos < toNanos(maxBackoff) ? Duration.ofNanos((long) nanos) : maxBackoff;
  }

  private static Duration part(Duration whole, double random) {
    return Duration.ofNanos((long) (toNanos(whole) * random));
  }

  private static double toNanos(Duration duration) {
    return duration.getSeconds() * 1e9 + duration.getNano();
  }
}
