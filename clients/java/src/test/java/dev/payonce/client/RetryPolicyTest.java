package dev.payonce.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

class RetryPolicyTest {
  private static final double LEAST = 0;
  private static final double MOST = Math.nextDown(1.0);

  private static final RetryPolicy POLICY =
      new RetryPolicy(10, Duration.ofMillis(100), Duration.ofSeconds(5));

  @ParameterizedTest
  @EnumSource(names = {"ABORTED", "UNAVAILABLE", "CANCELLED"})
  void isRetriedWithoutADelayFromTheServer(Status.Code code) {
    assertTrue(delay(1, code, new Metadata(), LEAST).isPresent());
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"ABORTED", "UNAVAILABLE", "CANCELLED"})
  void isFinalWithoutADelayFromTheServer(Status.Code code) {
    assertEquals(Optional.empty(), delay(1, code, new Metadata(), LEAST));
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "OK")
  void isRetriedWithADelayFromTheServer(Status.Code code) {
    assertEquals(Optional.of(Duration.ofMillis(40)), delay(1, code, pushback("40"), LEAST));
  }

  @Test
  void anOkIsFinalWhateverItsTrailersSay() {
    assertEquals(Optional.empty(), delay(1, Status.Code.OK, pushback("40"), LEAST));
  }

  @ParameterizedTest
  @ValueSource(strings = {"-1", "-9223372036854775808", "soon", "", "1.5", "99999999999999999999"})
  void aPushbackThatIsNoDelayIsFinal(String pushback) {
    assertEquals(Optional.empty(), delay(1, Status.Code.UNAVAILABLE, pushback(pushback), LEAST));
  }

  @ParameterizedTest
  @CsvSource({"1, 100", "2, 200", "3, 400", "6, 3200", "7, 5000", "9, 5000"})
  void theBackoffDoublesUpToItsMaximum(int attempts, long mostMs) {
    assertBetween(0, mostMs, attempts, new Metadata());
  }

  @Test
  void theBackoffOfManyRetriesIsStillTheMaximum() {
    RetryPolicy patient =
        new RetryPolicy(Integer.MAX_VALUE, Duration.ofNanos(1), Duration.ofSeconds(5));
    Duration most =
        patient
            .delayAfter(Integer.MAX_VALUE - 1, Status.UNAVAILABLE, new Metadata(), MOST)
            .orElseThrow();
    assertClose(Duration.ofSeconds(5), most);
  }

  @Test
  void theDelayOfTheTrailerIsTheLeastAndSpreadByTheInitialBackoff() {
    assertBetween(700, 800, 5, pushback("700"));
  }

  @Test
  void theDelayOfRetryInfoIsTheLeastAndSpreadByTheInitialBackoff() {
    assertBetween(700, 800, 5, retryInfo(0, 700_000_000));
  }

  @Test
  void theTrailerComesBeforeRetryInfo() {
    Metadata both = retryInfo(9, 0);
    both.merge(pushback("20"));
    assertBetween(20, 120, 1, both);
  }

  @Test
  void aDelayLongerThanAnyLifeIsKept() {
    assertTrue(
        delay(1, Status.Code.UNAVAILABLE, retryInfo(Long.MAX_VALUE, 999_999_999), MOST)
                .orElseThrow()
                .toDays()
            > 365_000);
  }

  @Test
  void detailsThatAreNoneAreAsIfTheyWereNotThere() {
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        new byte[] {(byte) 0xff, 1, 2});
    assertEquals(Optional.empty(), delay(1, Status.Code.INTERNAL, trailers, LEAST));
    assertBetween(0, 100, 1, trailers);
  }

  @Test
  void attemptsAreBounded() {
    assertTrue(delay(9, Status.Code.ABORTED, pushback("20"), LEAST).isPresent());
    assertEquals(Optional.empty(), delay(10, Status.Code.ABORTED, pushback("20"), LEAST));
  }

  @Test
  void whatCannotBeMeantIsRefused() {
    assertRefused("maxAttempts", IdempotencyInterceptor.builder().maxAttempts(0));
    Duration negative = Duration.ofMillis(-1);
    assertRefused("initialBackoff", IdempotencyInterceptor.builder().initialBackoff(negative));
    assertRefused("maxBackoff", IdempotencyInterceptor.builder().maxBackoff(negative));
  }

  private static void assertRefused(String option, IdempotencyInterceptor.Builder builder) {
    String message = assertThrows(IllegalArgumentException.class, builder::build).getMessage();
    assertTrue(message.startsWith(option), message);
  }

  private static void assertBetween(long leastMs, long mostMs, int attempts, Metadata trailers) {
    assertEquals(
        Optional.of(Duration.ofMillis(leastMs)),
        delay(attempts, Status.Code.UNAVAILABLE, trailers, LEAST));
    assertClose(
        Duration.ofMillis(mostMs),
        delay(attempts, Status.Code.UNAVAILABLE, trailers, MOST).orElseThrow());
  }

  private static void assertClose(Duration expected, Duration actual) {
    assertTrue(actual.compareTo(expected) <= 0, () -> actual + " is more than " + expected);
    assertTrue(
        actual.compareTo(expected.minusMillis(1)) > 0, () -> actual + " is less than " + expected);
  }

  private static Optional<Duration> delay(
      int attempts, Status.Code code, Metadata trailers, double random) {
    return POLICY.delayAfter(attempts, code.toStatus(), trailers, random);
  }

  private static Metadata pushback(String value) {
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), value);
    return trailers;
  }

  private static Metadata retryInfo(long seconds, int nanos) {
    var delay = com.google.protobuf.Duration.newBuilder().setSeconds(seconds).setNanos(nanos);
    com.google.rpc.Status status =
        com.google.rpc.Status.newBuilder()
            .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("OVERLOADED").build()))
            .addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()))
            .build();
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        status.toByteArray());
    return trailers;
  }
}
