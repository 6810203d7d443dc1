package dev.payonce.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.payonce.payments.v1.CreatePaymentRequest;
import dev.payonce.payments.v1.PaymentServiceGrpc;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceBlockingStub;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceFutureStub;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a server that cannot be reached means for a call. */
@Timeout(60)
class ReconnectTest {
  private static final CreatePaymentRequest REQUEST =
      CreatePaymentRequest.newBuilder().setPaymentMethod("tok_visa").build();

  private final List<IdempotencyReport> reports = Collections.synchronizedList(new ArrayList<>());
  private int port;
  private ManagedChannel channel;

  @BeforeEach
  void connectToAPortWhereNothingListens() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    channel =
        ManagedChannelBuilder.forAddress("127.0.0.1", port)
            .usePlaintext()
            .disableRetry()
            .intercept(
                IdempotencyInterceptor.builder()
                    .maxAttempts(3)
                    .initialBackoff(Duration.ofMillis(1))
                    .build())
            .build();
  }

  @AfterEach
  void disconnect() {
    channel.shutdownNow();
  }

  @Test
  void aCallWithADeadlineWaitsForTheServer() throws Exception {
    PaymentServiceFutureStub payments =
        Idempotency.reportTo(PaymentServiceGrpc.newFutureStub(channel), reports::add)
            .withDeadlineAfter(30, SECONDS);
    var payment = payments.createPayment(REQUEST);
    Thread.sleep(500); // longer than three attempts that do not wait
    Server server = startServer();
    try {
      assertEquals("payment-1", payment.get().getPayment().getId());
      assertEquals(2, reports.get(0).attempts());
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void aCallWithADeadlineEndsWithIt() {
    PaymentServiceBlockingStub payments =
        PaymentServiceGrpc.newBlockingStub(channel).withDeadlineAfter(500, MILLISECONDS);
    assertFails(Status.Code.DEADLINE_EXCEEDED, payments);
  }

  @Test
  void aCallWithoutADeadlineFailsAfterItsLastAttempt() {
    PaymentServiceBlockingStub payments =
        Idempotency.reportTo(PaymentServiceGrpc.newBlockingStub(channel), reports::add);
    assertFails(Status.Code.UNAVAILABLE, payments);
    assertEquals(3, reports.get(0).attempts());
  }

  private Server startServer() throws IOException {
    return NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
        .addService(new ScriptedService())
        .build()
        .start();
  }

  private static void assertFails(Status.Code code, PaymentServiceBlockingStub payments) {
    Status status =
        assertThrows(StatusRuntimeException.class, () -> payments.createPayment(REQUEST))
            .getStatus();
    assertEquals(code, status.getCode());
  }
}
