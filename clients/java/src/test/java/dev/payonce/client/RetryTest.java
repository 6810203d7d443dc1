package dev.payonce.client;

import static dev.payonce.client.ScriptedService.fail;
import static dev.payonce.client.ScriptedService.failAsReplay;
import static dev.payonce.client.ScriptedService.failWithPushback;
import static dev.payonce.client.ScriptedService.hang;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.util.concurrent.ListenableFuture;
import dev.payonce.payments.v1.CreatePaymentRequest;
import dev.payonce.payments.v1.CreatePaymentResponse;
import dev.payonce.payments.v1.PaymentServiceGrpc;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceBlockingStub;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceFutureStub;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How calls go on after a failed attempt, and how they end. */
@Timeout(30)
class RetryTest {
  private static final CreatePaymentRequest REQUEST =
      CreatePaymentRequest.newBuilder().setPaymentMethod("tok_visa").build();

  /** In milliseconds: longer than any test may take, so that nobody waits it out. */
  private static final long LONG = 60_000;

  private final List<IdempotencyReport> reports = Collections.synchronizedList(new ArrayList<>());
  private final ScheduledThreadPoolExecutor scheduler = new ScheduledThreadPoolExecutor(1);

  @AfterEach
  void stopScheduler() {
    scheduler.shutdownNow();
  }

  @Test
  void theStubsThatBlockReturnTheAnswerOfTheLastAttempt() throws StatusException {
    ScriptedService service =
        new ScriptedService(
            fail(Status.UNAVAILABLE),
            fail(Status.ABORTED),
            fail(Status.CANCELLED),
            failWithPushback(Status.RESOURCE_EXHAUSTED, 1));
    try (InProcess inProcess = InProcess.serving(service)) {
      assertEquals("payment-1", blocking(inProcess).createPayment(REQUEST).getPayment().getId());
      var checked = PaymentServiceGrpc.newBlockingV2Stub(inProcess.intercepted(quick().build()));
      assertEquals("payment-1", checked.createPayment(REQUEST).getPayment().getId());
    }
    assertEquals(5, reports.get(0).attempts());
  }

  @Test
  void theFutureReturnsTheAnswerOfTheLastAttempt() throws Exception {
    ScriptedService service = new ScriptedService(fail(Status.UNAVAILABLE));
    try (InProcess inProcess = InProcess.serving(service)) {
      assertEquals(
          "payment-1", future(inProcess).createPayment(REQUEST).get().getPayment().getId());
    }
    assertEquals(2, reports.get(0).attempts());
  }

  @Test
  void theObserverGetsTheAnswerOfTheLastAttempt() throws Exception {
    ScriptedService service = new ScriptedService(fail(Status.UNAVAILABLE));
    var ended = new CompletableFuture<List<String>>();
    try (InProcess inProcess = InProcess.serving(service)) {
      PaymentServiceGrpc.newStub(inProcess.intercepted(quick().build()))
          .createPayment(REQUEST, recordingObserver(ended));
      assertEquals(List.of("payment-1", "completed"), ended.get());
    }
  }

  @Test
  void anErrorThatIsFinalIsReturnedAtOnce() {
    ScriptedService service = new ScriptedService(fail(Status.FAILED_PRECONDITION));
    try (InProcess inProcess = InProcess.serving(service)) {
      assertFails(
          Status.Code.FAILED_PRECONDITION, () -> blocking(inProcess).createPayment(REQUEST));
    }
    assertEquals(1, service.requests.size());
  }

  @Test
  void attemptsAreBounded() {
    ScriptedService service =
        new ScriptedService(
            fail(Status.ABORTED), fail(Status.ABORTED), fail(Status.ABORTED), fail(Status.ABORTED));
    try (InProcess inProcess = InProcess.serving(service)) {
      var payments =
          PaymentServiceGrpc.newBlockingStub(inProcess.intercepted(quick().maxAttempts(3).build()));
      assertFails(Status.Code.ABORTED, () -> payments.createPayment(REQUEST));
    }
    assertEquals(3, service.requests.size());
  }

  @Test
  void aDelayThatDoesNotFitIntoTheDeadlineReturnsTheLastAnswerAtOnce() {
    ScriptedService service = new ScriptedService(failWithPushback(Status.ABORTED, LONG));
    try (InProcess inProcess = InProcess.serving(service)) {
      var payments = blocking(inProcess).withDeadlineAfter(LONG / 2, MILLISECONDS);
      assertFails(Status.Code.ABORTED, () -> payments.createPayment(REQUEST));
    }
  }

  @Test
  void aDelayThatDoesNotFitIntoTheDeadlineOfTheContextReturnsTheLastAnswerAtOnce() {
    ScriptedService service = new ScriptedService(failWithPushback(Status.ABORTED, LONG));
    ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    try (InProcess inProcess = InProcess.serving(service);
        var context = Context.current().withDeadlineAfter(LONG / 2, MILLISECONDS, timer)) {
      context.run(
          () -> assertFails(Status.Code.ABORTED, () -> blocking(inProcess).createPayment(REQUEST)));
    } finally {
      timer.shutdownNow();
    }
  }

  @Test
  void theDeadlineIsOneForAllAttempts() {
    ScriptedService service = new ScriptedService(fail(Status.UNAVAILABLE), response -> {});
    try (InProcess inProcess = InProcess.serving(service)) {
      var payments = blocking(inProcess).withDeadlineAfter(500, MILLISECONDS);
      assertFails(Status.Code.DEADLINE_EXCEEDED, () -> payments.createPayment(REQUEST));
    }
    assertEquals(2, reports.get(0).attempts());
  }

  @Test
  void aCallerThatCancelsEndsTheAttemptUnderWay() throws Exception {
    CountDownLatch arrived = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    ScriptedService service = new ScriptedService(hang(arrived, cancelled));
    try (InProcess inProcess = InProcess.serving(service)) {
      ListenableFuture<CreatePaymentResponse> payment = future(inProcess).createPayment(REQUEST);
      arrived.await();
      payment.cancel(true);
      cancelled.await();
      awaitReport();
    }
    assertEquals(1, service.requests.size());
  }

  @Test
  void aCallerThatCancelsEndsTheWaitBetweenTwoAttempts() throws Exception {
    ScriptedService service = new ScriptedService(failWithPushback(Status.ABORTED, LONG));
    try (InProcess inProcess = InProcess.serving(service)) {
      ListenableFuture<CreatePaymentResponse> payment = future(inProcess).createPayment(REQUEST);
      awaitWaitForNextAttempt();
      payment.cancel(true);
      awaitReport();
    }
    assertEquals(1, reports.get(0).attempts());
  }

  @Test
  void aContextThatIsCancelledEndsTheWaitBetweenTwoAttempts() throws Exception {
    ScriptedService service = new ScriptedService(failWithPushback(Status.ABORTED, LONG));
    var ended = new CompletableFuture<List<String>>();
    Context.CancellableContext context = Context.current().withCancellation();
    try (InProcess inProcess = InProcess.serving(service)) {
      context.run(
          () ->
              PaymentServiceGrpc.newStub(inProcess.intercepted(quick().build()))
                  .createPayment(REQUEST, recordingObserver(ended)));
      awaitWaitForNextAttempt();
      context.cancel(null);
      assertEquals(List.of("CANCELLED"), ended.get());
    }
  }

  @Test
  void aThreadThatIsInterruptedEndsTheWaitBetweenTwoAttempts() throws Exception {
    ScriptedService service = new ScriptedService(failWithPushback(Status.ABORTED, LONG));
    var failure = new AtomicReference<Throwable>();
    try (InProcess inProcess = InProcess.serving(service)) {
      Thread caller = new Thread(() -> blocking(inProcess).createPayment(REQUEST));
      caller.setUncaughtExceptionHandler((thread, thrown) -> failure.set(thrown));
      caller.start();
      awaitWaitForNextAttempt();
      caller.interrupt();
      caller.join();
    }
    assertEquals(Status.Code.CANCELLED, Status.fromThrowable(failure.get()).getCode());
  }

  @Test
  void aReplayIsReported() {
    ScriptedService service =
        new ScriptedService(failAsReplay(Status.FAILED_PRECONDITION)).replaying();
    try (InProcess inProcess = InProcess.serving(service)) {
      assertFails(
          Status.Code.FAILED_PRECONDITION, () -> blocking(inProcess).createPayment(REQUEST));
      blocking(inProcess).createPayment(REQUEST);
    }
    assertEquals(List.of(true, true), reports.stream().map(IdempotencyReport::replayed).toList());
  }

  @Test
  void headersAndTrailersAreTheLastAttempts() {
    ScriptedService service = new ScriptedService(fail(Status.UNAVAILABLE)).replaying();
    var headers = new AtomicReference<Metadata>();
    var trailers = new AtomicReference<Metadata>();
    try (InProcess inProcess = InProcess.serving(service)) {
      blocking(inProcess)
          .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
          .createPayment(REQUEST);
    }
    assertTrue(KeyMetadata.isReplayed(headers.get()));
    assertEquals(1, reports.size());
  }

  @Test
  void aConsumerOfReportsThatThrowsStillLetsTheCallEnd() {
    try (InProcess inProcess = InProcess.serving(new ScriptedService())) {
      var payments =
          Idempotency.reportTo(
              blocking(inProcess),
              report -> {
                throw new IllegalStateException("a bug");
              });
      assertFails(Status.Code.CANCELLED, () -> payments.createPayment(REQUEST));
    }
  }

  @Test
  void anInterceptorBelowThatThrowsEndsTheCall() {
    ClientInterceptor broken =
        new ClientInterceptor() {
          @Override
          public <RequestT, ResponseT> ClientCall<RequestT, ResponseT> interceptCall(
              MethodDescriptor<RequestT, ResponseT> method, CallOptions options, Channel next) {
            throw Status.UNAUTHENTICATED.asRuntimeException();
          }
        };
    try (InProcess inProcess = InProcess.serving(new ScriptedService())) {
      Channel channel = ClientInterceptors.intercept(inProcess.channel(), broken, quick().build());
      var payments = PaymentServiceGrpc.newBlockingStub(channel);
      assertFails(Status.Code.UNAUTHENTICATED, () -> payments.createPayment(REQUEST));
    }
  }

  @Test
  void aSchedulerThatIsShutDownReturnsTheLastAnswer() {
    scheduler.shutdown();
    ScriptedService service = new ScriptedService(fail(Status.ABORTED));
    try (InProcess inProcess = InProcess.serving(service)) {
      assertFails(Status.Code.ABORTED, () -> blocking(inProcess).createPayment(REQUEST));
    }
  }

  private PaymentServiceBlockingStub blocking(InProcess inProcess) {
    return Idempotency.reportTo(
        PaymentServiceGrpc.newBlockingStub(inProcess.intercepted(quick().build())), reports::add);
  }

  private PaymentServiceFutureStub future(InProcess inProcess) {
    return Idempotency.reportTo(
        PaymentServiceGrpc.newFutureStub(inProcess.intercepted(quick().build())), reports::add);
  }

  private IdempotencyInterceptor.Builder quick() {
    return IdempotencyInterceptor.builder()
        .initialBackoff(Duration.ofMillis(1))
        .scheduler(scheduler);
  }

  private void awaitWaitForNextAttempt() throws InterruptedException {
    while (scheduler.getQueue().isEmpty()) {
      Thread.sleep(1);
    }
  }

  private void awaitReport() throws InterruptedException {
    while (reports.isEmpty()) {
      Thread.sleep(1);
    }
  }

  private static void assertFails(Status.Code code, Runnable call) {
    Status status = assertThrows(StatusRuntimeException.class, call::run).getStatus();
    assertEquals(code, status.getCode());
  }

  private static StreamObserver<CreatePaymentResponse> recordingObserver(
      CompletableFuture<List<String>> ended) {
    List<String> events = new ArrayList<>();
    return new StreamObserver<>() {
      @Override
      public void onNext(CreatePaymentResponse response) {
        events.add(response.getPayment().getId());
      }

      @Override
      public void onError(Throwable error) {
        events.add(Status.fromThrowable(error).getCode().name());
        ended.complete(events);
      }

      @Override
      public void onCompleted() {
        events.add("completed");
        ended.complete(events);
      }
    };
  }
}
