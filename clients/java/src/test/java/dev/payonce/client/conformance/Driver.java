package dev.payonce.client.conformance;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.payonce.client.Idempotency;
import dev.payonce.client.IdempotencyInterceptor;
import dev.payonce.payments.v1.PaymentServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Phaser;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Makes the calls that standard input tells it to, as {@code clients/conformance} has it. */
public final class Driver {
  private static final Gson GSON = new Gson();

  private final Map<String, ManagedChannel> channels = new HashMap<>();
  private final ScheduledExecutorService cancellations =
      Executors.newSingleThreadScheduledExecutor();
  private final Phaser underWay = new Phaser(1);

  private Driver() {}

  public static void main(String[] args) throws IOException {
    new Driver().run(new BufferedReader(new InputStreamReader(System.in, UTF_8)));
  }

  private void run(BufferedReader input) throws IOException {
    for (String text = input.readLine(); text != null; text = input.readLine()) {
      Line line = GSON.fromJson(text, Line.class);
      makeCall(line, methodOf(line));
    }
    underWay.arriveAndAwaitAdvance();
    channels.values().forEach(ManagedChannel::shutdown);
    cancellations.shutdownNow();
  }

  private <RequestT extends Message, ResponseT extends Message> void makeCall(
      Line line, MethodDescriptor<RequestT, ResponseT> method) throws IOException {
    ResultObserver<ResponseT> observer = new ResultObserver<>(line.id(), this::ended);
    CallOptions options =
        Idempotency.reportTo(
            CallOptions.DEFAULT.withDeadlineAfter(line.deadlineMs(), TimeUnit.MILLISECONDS),
            observer::onReport);
    if (line.key() != null) {
      options = Idempotency.withKey(options, line.key());
    }
    Channel channel = ClientInterceptors.intercept(channelTo(line), interceptor(line));
    ClientCall<RequestT, ResponseT> call = channel.newCall(method, options);
    underWay.register();
    ClientCalls.asyncUnaryCall(call, requestOf(line, method), observer);
    if (line.cancelAfterMs() != null) {
      cancellations.schedule(
          () -> call.cancel("Cancelled as told", null),
          line.cancelAfterMs(),
          TimeUnit.MILLISECONDS);
    }
  }

  private void ended(Result result) {
    System.out.println(GSON.toJson(result));
    underWay.arriveAndDeregister();
  }

  private Channel channelTo(Line line) {
    return channels.computeIfAbsent(
        line.target(),
        target -> {
          ManagedChannelBuilder<?> builder = ManagedChannelBuilder.forTarget(target).usePlaintext();
          return line.serviceConfig() == null
              ? builder.disableRetry().build()
              : builder.defaultServiceConfig(parsed(line.serviceConfig())).build();
        });
  }

  private static Map<String, ?> parsed(String serviceConfig) {
    return GSON.fromJson(serviceConfig, new TypeToken<Map<String, ?>>() {});
  }

  private static IdempotencyInterceptor interceptor(Line line) {
    IdempotencyInterceptor.Builder builder = IdempotencyInterceptor.builder();
    Line.Options options = line.options();
    if (options != null && options.maxAttempts() != null) {
      builder.maxAttempts(options.maxAttempts());
    }
    if (options != null && options.initialBackoffMs() != null) {
      builder.initialBackoff(Duration.ofMillis(options.initialBackoffMs()));
    }
    if (options != null && options.maxBackoffMs() != null) {
      builder.maxBackoff(Duration.ofMillis(options.maxBackoffMs()));
    }
    return builder.build();
  }

  private static MethodDescriptor<? extends Message, ? extends Message> methodOf(Line line) {
    return switch (line.method()) {
      case "CreatePayment" -> PaymentServiceGrpc.getCreatePaymentMethod();
      case "CapturePayment" -> PaymentServiceGrpc.getCapturePaymentMethod();
      case "CancelPayment" -> PaymentServiceGrpc.getCancelPaymentMethod();
      case "RefundPayment" -> PaymentServiceGrpc.getRefundPaymentMethod();
      default -> throw new IllegalArgumentException("Unknown method " + line.method());
    };
  }

  /** The request in JSON, and what is merged into it. */
  private static <RequestT extends Message> RequestT requestOf(
      Line line, MethodDescriptor<RequestT, ?> method) throws IOException {
    var marshaller = (PrototypeMarshaller<RequestT>) method.getRequestMarshaller();
    Message.Builder builder = marshaller.getMessagePrototype().newBuilderForType();
    JsonFormat.parser().merge(line.request().toString(), builder);
    if (line.requestBytes() != null) {
      builder.mergeFrom(Base64.getDecoder().decode(line.requestBytes()));
    }
    @SuppressWarnings("unchecked") // the prototype's builder builds what the prototype is
    RequestT request = (RequestT) builder.build();
    return request;
  }
}
