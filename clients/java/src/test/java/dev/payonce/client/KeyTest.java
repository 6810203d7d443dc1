package dev.payonce.client;

import static dev.payonce.client.ScriptedService.fail;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.DescriptorProtos.MethodOptions;
import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.DescriptorProtos.ServiceDescriptorProto;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Empty;
import com.google.protobuf.EmptyProto;
import dev.payonce.idempotency.v1.IdempotencyPolicy;
import dev.payonce.idempotency.v1.InspectionServiceGrpc;
import dev.payonce.idempotency.v1.OptionsProto;
import dev.payonce.idempotency.v1.ResolveKeyRequest;
import dev.payonce.payments.v1.CreatePaymentRequest;
import dev.payonce.payments.v1.GetPaymentRequest;
import dev.payonce.payments.v1.PaymentServiceGrpc;
import dev.payonce.payments.v1.PaymentServiceGrpc.PaymentServiceBlockingStub;
import dev.payonce.payments.v1.StreamPaymentEventsRequest;
import dev.payonce.payments.v1.StreamPaymentEventsResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which calls get a key, and which one. */
@Timeout(30)
class KeyTest {
  private static final CreatePaymentRequest REQUEST =
      CreatePaymentRequest.newBuilder().setPaymentMethod("tok_visa").build();

  private final List<IdempotencyReport> reports = new ArrayList<>();

  @Test
  void everyCallGetsAUuidOfItsOwnForAllItsAttempts() {
    ScriptedService service = failingOnce();
    try (InProcess inProcess = InProcess.serving(service)) {
      PaymentServiceBlockingStub payments = payments(inProcess, quick().build());
      payments.createPayment(REQUEST);
      payments.createPayment(REQUEST);
    }
    List<String> keys = service.keys();
    assertEquals(3, keys.size());
    assertEquals(keys.get(0), keys.get(1));
    assertNotEquals(keys.get(0), keys.get(2));
    for (String key : keys) {
      assertTrue(
          key.matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    }
    assertEquals(
        List.of(
            new IdempotencyReport(keys.get(0), 2, false),
            new IdempotencyReport(keys.get(2), 1, false)),
        reports);
  }

  @Test
  void aGivenKeyIsKept() {
    ScriptedService service = failingOnce();
    try (InProcess inProcess = InProcess.serving(service)) {
      Idempotency.withKey(payments(inProcess, quick().build()), "order-7").createPayment(REQUEST);
    }
    assertEquals(List.of("order-7", "order-7"), service.keys());
    assertEquals(List.of(new IdempotencyReport("order-7", 2, false)), reports);
  }

  @Test
  void aKeyInTheMetadataIsKeptAndBeatsAGivenOne() {
    ScriptedService service = failingOnce();
    Metadata headers = new Metadata();
    headers.put(KeyMetadata.KEY, "from-metadata");
    try (InProcess inProcess = InProcess.serving(service)) {
      Idempotency.withKey(payments(inProcess, quick().build()), "order-7")
          .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
          .createPayment(REQUEST);
    }
    assertEquals(List.of("from-metadata", "from-metadata"), service.keys());
    assertEquals("from-metadata", reports.get(0).key());
  }

  @Test
  void aKeyInTheRequestIsKeptAndNoOtherIsMade() {
    ScriptedService service = failingOnce();
    CreatePaymentRequest request = REQUEST.toBuilder().setIdempotencyKey("in-request").build();
    try (InProcess inProcess = InProcess.serving(service)) {
      payments(inProcess, quick().build()).createPayment(request);
    }
    assertEquals(Arrays.asList(null, null), service.keys());
    assertEquals(List.of(request, request), service.requests);
    assertEquals(List.of(new IdempotencyReport("in-request", 2, false)), reports);
  }

  @Test
  void aKeyFunctionIsAskedOnceForACall() {
    ScriptedService service = failingOnce();
    List<String> asked = new ArrayList<>();
    IdempotencyInterceptor interceptor =
        quick()
            .keyFunction(
                (method, request) -> {
                  asked.add(method.getBareMethodName());
                  return "pay-" + ((CreatePaymentRequest) request).getPaymentMethod();
                })
            .build();
    try (InProcess inProcess = InProcess.serving(service)) {
      payments(inProcess, interceptor).createPayment(REQUEST);
    }
    assertEquals(List.of("CreatePayment"), asked);
    assertEquals(List.of("pay-tok_visa", "pay-tok_visa"), service.keys());
  }

  @Test
  void whatAKeyFunctionThrowsTheCallThrows() {
    ScriptedService service = new ScriptedService();
    IdempotencyInterceptor interceptor =
        quick()
            .keyFunction(
                (method, request) -> {
                  throw new IllegalStateException("no order");
                })
            .build();
    try (InProcess inProcess = InProcess.serving(service)) {
      PaymentServiceBlockingStub payments = payments(inProcess, interceptor);
      assertThrows(IllegalStateException.class, () -> payments.createPayment(REQUEST));
    }
    assertEquals(List.of(), service.keys());
  }

  @ParameterizedTest
  @ValueSource(strings = {"caf\u00e9", "a\nb", "a\u0000", "\ud83d\udcb6"})
  void aKeyThatMetadataWouldChangeIsRefused(String key) {
    ScriptedService service = new ScriptedService();
    try (InProcess inProcess = InProcess.serving(service)) {
      PaymentServiceBlockingStub payments =
          payments(inProcess, quick().keyFunction((method, request) -> key).build());
      assertThrows(IllegalArgumentException.class, () -> Idempotency.withKey(payments, key));
      assertThrows(IllegalArgumentException.class, () -> payments.createPayment(REQUEST));
    }
    assertEquals(List.of(), service.keys());
  }

  @Test
  void aMethodWithoutTheOptionIsLeftAlone() {
    ScriptedService service = new ScriptedService();
    try (InProcess inProcess = InProcess.serving(service)) {
      PaymentServiceBlockingStub payments = payments(inProcess, quick().build());
      assertUnavailable(() -> payments.getPayment(GetPaymentRequest.getDefaultInstance()));
    }
    assertEquals(Arrays.asList((String) null), service.keys());
    assertEquals(List.of(), reports);
  }

  @Test
  void aMethodThatRequiresNoKeyIsLeftAloneButKeepsAGivenOne() {
    ScriptedService service = new ScriptedService();
    try (InProcess inProcess = InProcess.serving(service)) {
      var inspection =
          InspectionServiceGrpc.newBlockingStub(inProcess.intercepted(quick().build()));
      ResolveKeyRequest request = ResolveKeyRequest.getDefaultInstance();
      assertUnavailable(() -> inspection.resolveKey(request));
      assertUnavailable(() -> Idempotency.withKey(inspection, "order-7").resolveKey(request));
    }
    assertEquals(Arrays.asList(null, "order-7"), service.keys());
  }

  @Test
  void aStreamPassesAsItIs() {
    ScriptedService service = new ScriptedService();
    try (InProcess inProcess = InProcess.serving(service)) {
      Iterator<StreamPaymentEventsResponse> events =
          payments(inProcess, quick().build())
              .streamPaymentEvents(StreamPaymentEventsRequest.getDefaultInstance());
      events.next();
      assertUnavailable(events::hasNext);
    }
    assertEquals(Arrays.asList((String) null), service.keys());
  }

  private PaymentServiceBlockingStub payments(
      InProcess inProcess, IdempotencyInterceptor interceptor) {
    return Idempotency.reportTo(
        PaymentServiceGrpc.newBlockingStub(inProcess.intercepted(interceptor)), reports::add);
  }

  private static ScriptedService failingOnce() {
    return new ScriptedService(fail(Status.UNAVAILABLE));
  }

  private static IdempotencyInterceptor.Builder quick() {
    return IdempotencyInterceptor.builder().initialBackoff(Duration.ofMillis(1));
  }

  private static void assertUnavailable(Runnable call) {
    Status status = assertThrows(StatusRuntimeException.class, call::run).getStatus();
    assertEquals(Status.Code.UNAVAILABLE, status.getCode());
  }

  @Test
  void everyMethodOfAProtectedServiceNeedsAKeyUnlessItSaysOtherwise() throws Exception {
    FileDescriptor file =
        FileDescriptor.buildFrom(
            FileDescriptorProto.newBuilder()
                .setName("test/rule/v1/rule.proto")
                .setPackage("test.rule.v1")
                .addDependency("google/protobuf/empty.proto")
                .addService(
                    ServiceDescriptorProto.newBuilder()
                        .setName("Orders")
                        .addMethod(method("Place", policy(IdempotencyPolicy.getDefaultInstance())))
                        .addMethod(method("Change", MethodOptions.getDefaultInstance()))
                        .addMethod(
                            method(
                                "Note",
                                policy(IdempotencyPolicy.newBuilder().setRequired(false).build())))
                        .addMethod(
                            method(
                                "Find",
                                MethodOptions.newBuilder()
                                    .setIdempotencyLevel(IdempotencyLevel.NO_SIDE_EFFECTS)
                                    .build())))
                .addService(
                    ServiceDescriptorProto.newBuilder()
                        .setName("Reports")
                        .addMethod(method("Run", MethodOptions.getDefaultInstance())))
                .build(),
            new FileDescriptor[] {EmptyProto.getDescriptor()});
    List<String> keyed =
        file.getServices().stream()
            .flatMap(service -> service.getMethods().stream())
            .filter(method -> KeyedMethod.of(grpcMethod(method)).isPresent())
            .map(MethodDescriptor::getName)
            .toList();
    assertEquals(List.of("Place", "Change"), keyed);
  }

  private static MethodDescriptorProto method(String name, MethodOptions options) {
    String empty = ".google.protobuf.Empty";
    return MethodDescriptorProto.newBuilder()
        .setName(name)
        .setInputType(empty)
        .setOutputType(empty)
        .setOptions(options)
        .build();
  }

  private static MethodOptions policy(IdempotencyPolicy policy) {
    return MethodOptions.newBuilder().setExtension(OptionsProto.idempotency, policy).build();
  }

  private static io.grpc.MethodDescriptor<Empty, Empty> grpcMethod(MethodDescriptor method) {
    return PaymentServiceGrpc.getCreatePaymentMethod().toBuilder(
            ProtoUtils.marshaller(Empty.getDefaultInstance()),
            ProtoUtils.marshaller(Empty.getDefaultInstance()))
        .setSchemaDescriptor(new Schema(method))
        .build();
  }

  private record Schema(MethodDescriptor method) implements ProtoMethodDescriptorSupplier {
    @Override
    public MethodDescriptor getMethodDescriptor() {
      return method;
    }

    @Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return method.getService();
    }

    @Override
    public FileDescriptor getFileDescriptor() {
      return method.getFile();
    }
  }
}
