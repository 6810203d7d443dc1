package dev.payonce.client;

import dev.payonce.idempotency.v1.InspectionServiceGrpc.InspectionServiceImplBase;
import dev.payonce.idempotency.v1.ResolveKeyRequest;
import dev.payonce.idempotency.v1.ResolveKeyResponse;
import dev.payonce.payments.v1.CreatePaymentRequest;
import dev.payonce.payments.v1.CreatePaymentResponse;
import dev.payonce.payments.v1.GetPaymentRequest;
import dev.payonce.payments.v1.GetPaymentResponse;
import dev.payonce.payments.v1.Payment;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceImplBase;
import dev.payonce.payments.v1.StreamPaymentEventsRequest;
import dev.payonce.payments.v1.StreamPaymentEventsResponse;
import io.grpc.BindableService;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;

/** Does to each attempt what it is told, and from then on answers; keeps what arrived. */
final class ScriptedService extends PaymentServiceImplBase implements ServerInterceptor {
  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /** What is done to one attempt. */
  interface Reaction extends Consumer<StreamObserver<CreatePaymentResponse>> {}

  private final Queue<Reaction> script;
  private volatile boolean replaying;

  /** The metadata of every call of any method, in the order of arrival. */
  final List<Metadata> arrivals = new CopyOnWriteArrayList<>();

  /** The requests of CreatePayment. */
  final List<CreatePaymentRequest> requests = new CopyOnWriteArrayList<>();

  ScriptedService(Reaction... script) {
    this.script = new ArrayDeque<>(List.of(script));
  }

  static Reaction fail(Status status) {
    return response -> response.onError(status.asRuntimeException());
  }

  static Reaction failWithPushback(Status status, long pushbackMs) {
    Metadata trailers = new Metadata();
    trailers.put(PUSHBACK, Long.toString(pushbackMs));
    return response -> response.onError(status.asRuntimeException(trailers));
  }

  static Reaction failAsReplay(Status status) {
    Metadata trailers = new Metadata();
    trailers.put(REPLAYED, "true");
    return response -> response.onError(status.asRuntimeException(trailers));
  }

  /** Never answers; releases the latches when the call has arrived, and when it is cancelled. */
  static Reaction hang(CountDownLatch arrived, CountDownLatch cancelled) {
    return response -> {
      ((ServerCallStreamObserver<CreatePaymentResponse>) response)
          .setOnCancelHandler(cancelled::countDown);
      arrived.countDown();
    };
  }

  /** From now on every answer says that it was given before. */
  ScriptedService replaying() {
    replaying = true;
    return this;
  }

  List<String> keys() {
    return arrivals.stream().map(headers -> headers.get(KeyMetadata.KEY)).toList();
  }

  /** The service of operators, with a method that needs no key. */
  BindableService inspection() {
    return new InspectionServiceImplBase() {
      @Override
      public void resolveKey(
          ResolveKeyRequest request, StreamObserver<ResolveKeyResponse> response) {
        response.onError(Status.UNAVAILABLE.asRuntimeException());
      }
    };
  }

  @Override
  public void createPayment(
      CreatePaymentRequest request, StreamObserver<CreatePaymentResponse> response) {
    requests.add(request);
    Reaction reaction;
    synchronized (script) {
      reaction = script.poll();
    }
    if (reaction != null) {
      reaction.accept(response);
      return;
    }
    Payment payment = Payment.newBuilder().setId("payment-1").build();
    response.onNext(CreatePaymentResponse.newBuilder().setPayment(payment).build());
    response.onCompleted();
  }

  @Override
  public void getPayment(GetPaymentRequest request, StreamObserver<GetPaymentResponse> response) {
    response.onError(Status.UNAVAILABLE.asRuntimeException());
  }

  @Override
  public void streamPaymentEvents(
      StreamPaymentEventsRequest request, StreamObserver<StreamPaymentEventsResponse> response) {
    response.onNext(StreamPaymentEventsResponse.getDefaultInstance());
    response.onError(Status.UNAVAILABLE.asRuntimeException());
  }

  @Override
  public <RequestT, ResponseT> ServerCall.Listener<RequestT> interceptCall(
      ServerCall<RequestT, ResponseT> call,
      Metadata headers,
      ServerCallHandler<RequestT, ResponseT> next) {
    arrivals.add(headers);
    return next.startCall(replaying ? new ReplayingCall<>(call) : call, headers);
  }

  /** Binds a service so that its calls are kept, too. */
  ServerServiceDefinition bind(BindableService service) {
    return ServerInterceptors.intercept(service, this);
  }

  private static final class ReplayingCall<RequestT, ResponseT>
      extends SimpleForwardingServerCall<RequestT, ResponseT> {
    ReplayingCall(ServerCall<RequestT, ResponseT> call) {
      super(call);
    }

    @Override
    public void sendHeaders(Metadata headers) {
      headers.put(REPLAYED, "true");
      super.sendHeaders(headers);
    }
  }
}
