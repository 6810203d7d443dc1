package dev.payonce.payments.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class PaymentServiceGrpc {

  private PaymentServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "payonce.payments.v1.PaymentService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.CreatePaymentRequest,
      dev.payonce.payments.v1.CreatePaymentResponse> getCreatePaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreatePayment",
      requestType = dev.payonce.payments.v1.CreatePaymentRequest.class,
      responseType = dev.payonce.payments.v1.CreatePaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.CreatePaymentRequest,
      dev.payonce.payments.v1.CreatePaymentResponse> getCreatePaymentMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.CreatePaymentRequest, dev.payonce.payments.v1.CreatePaymentResponse> getCreatePaymentMethod;
    if ((getCreatePaymentMethod = PaymentServiceGrpc.getCreatePaymentMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getCreatePaymentMethod = PaymentServiceGrpc.getCreatePaymentMethod) == null) {
          PaymentServiceGrpc.getCreatePaymentMethod = getCreatePaymentMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.CreatePaymentRequest, dev.payonce.payments.v1.CreatePaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreatePayment"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CreatePaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CreatePaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("CreatePayment"))
              .build();
        }
      }
    }
    return getCreatePaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.CapturePaymentRequest,
      dev.payonce.payments.v1.CapturePaymentResponse> getCapturePaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CapturePayment",
      requestType = dev.payonce.payments.v1.CapturePaymentRequest.class,
      responseType = dev.payonce.payments.v1.CapturePaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.CapturePaymentRequest,
      dev.payonce.payments.v1.CapturePaymentResponse> getCapturePaymentMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.CapturePaymentRequest, dev.payonce.payments.v1.CapturePaymentResponse> getCapturePaymentMethod;
    if ((getCapturePaymentMethod = PaymentServiceGrpc.getCapturePaymentMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getCapturePaymentMethod = PaymentServiceGrpc.getCapturePaymentMethod) == null) {
          PaymentServiceGrpc.getCapturePaymentMethod = getCapturePaymentMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.CapturePaymentRequest, dev.payonce.payments.v1.CapturePaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CapturePayment"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CapturePaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CapturePaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("CapturePayment"))
              .build();
        }
      }
    }
    return getCapturePaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.CancelPaymentRequest,
      dev.payonce.payments.v1.CancelPaymentResponse> getCancelPaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CancelPayment",
      requestType = dev.payonce.payments.v1.CancelPaymentRequest.class,
      responseType = dev.payonce.payments.v1.CancelPaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.CancelPaymentRequest,
      dev.payonce.payments.v1.CancelPaymentResponse> getCancelPaymentMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.CancelPaymentRequest, dev.payonce.payments.v1.CancelPaymentResponse> getCancelPaymentMethod;
    if ((getCancelPaymentMethod = PaymentServiceGrpc.getCancelPaymentMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getCancelPaymentMethod = PaymentServiceGrpc.getCancelPaymentMethod) == null) {
          PaymentServiceGrpc.getCancelPaymentMethod = getCancelPaymentMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.CancelPaymentRequest, dev.payonce.payments.v1.CancelPaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CancelPayment"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CancelPaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.CancelPaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("CancelPayment"))
              .build();
        }
      }
    }
    return getCancelPaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.RefundPaymentRequest,
      dev.payonce.payments.v1.RefundPaymentResponse> getRefundPaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RefundPayment",
      requestType = dev.payonce.payments.v1.RefundPaymentRequest.class,
      responseType = dev.payonce.payments.v1.RefundPaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.RefundPaymentRequest,
      dev.payonce.payments.v1.RefundPaymentResponse> getRefundPaymentMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.RefundPaymentRequest, dev.payonce.payments.v1.RefundPaymentResponse> getRefundPaymentMethod;
    if ((getRefundPaymentMethod = PaymentServiceGrpc.getRefundPaymentMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getRefundPaymentMethod = PaymentServiceGrpc.getRefundPaymentMethod) == null) {
          PaymentServiceGrpc.getRefundPaymentMethod = getRefundPaymentMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.RefundPaymentRequest, dev.payonce.payments.v1.RefundPaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RefundPayment"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.RefundPaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.RefundPaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("RefundPayment"))
              .build();
        }
      }
    }
    return getRefundPaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.GetPaymentRequest,
      dev.payonce.payments.v1.GetPaymentResponse> getGetPaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetPayment",
      requestType = dev.payonce.payments.v1.GetPaymentRequest.class,
      responseType = dev.payonce.payments.v1.GetPaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.GetPaymentRequest,
      dev.payonce.payments.v1.GetPaymentResponse> getGetPaymentMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.GetPaymentRequest, dev.payonce.payments.v1.GetPaymentResponse> getGetPaymentMethod;
    if ((getGetPaymentMethod = PaymentServiceGrpc.getGetPaymentMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getGetPaymentMethod = PaymentServiceGrpc.getGetPaymentMethod) == null) {
          PaymentServiceGrpc.getGetPaymentMethod = getGetPaymentMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.GetPaymentRequest, dev.payonce.payments.v1.GetPaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetPayment"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.GetPaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.GetPaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("GetPayment"))
              .build();
        }
      }
    }
    return getGetPaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListPaymentsRequest,
      dev.payonce.payments.v1.ListPaymentsResponse> getListPaymentsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListPayments",
      requestType = dev.payonce.payments.v1.ListPaymentsRequest.class,
      responseType = dev.payonce.payments.v1.ListPaymentsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListPaymentsRequest,
      dev.payonce.payments.v1.ListPaymentsResponse> getListPaymentsMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListPaymentsRequest, dev.payonce.payments.v1.ListPaymentsResponse> getListPaymentsMethod;
    if ((getListPaymentsMethod = PaymentServiceGrpc.getListPaymentsMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getListPaymentsMethod = PaymentServiceGrpc.getListPaymentsMethod) == null) {
          PaymentServiceGrpc.getListPaymentsMethod = getListPaymentsMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.ListPaymentsRequest, dev.payonce.payments.v1.ListPaymentsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListPayments"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.ListPaymentsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.ListPaymentsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("ListPayments"))
              .build();
        }
      }
    }
    return getListPaymentsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListLedgerEntriesRequest,
      dev.payonce.payments.v1.ListLedgerEntriesResponse> getListLedgerEntriesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListLedgerEntries",
      requestType = dev.payonce.payments.v1.ListLedgerEntriesRequest.class,
      responseType = dev.payonce.payments.v1.ListLedgerEntriesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListLedgerEntriesRequest,
      dev.payonce.payments.v1.ListLedgerEntriesResponse> getListLedgerEntriesMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.ListLedgerEntriesRequest, dev.payonce.payments.v1.ListLedgerEntriesResponse> getListLedgerEntriesMethod;
    if ((getListLedgerEntriesMethod = PaymentServiceGrpc.getListLedgerEntriesMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getListLedgerEntriesMethod = PaymentServiceGrpc.getListLedgerEntriesMethod) == null) {
          PaymentServiceGrpc.getListLedgerEntriesMethod = getListLedgerEntriesMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.ListLedgerEntriesRequest, dev.payonce.payments.v1.ListLedgerEntriesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListLedgerEntries"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.ListLedgerEntriesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.ListLedgerEntriesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("ListLedgerEntries"))
              .build();
        }
      }
    }
    return getListLedgerEntriesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.payments.v1.StreamPaymentEventsRequest,
      dev.payonce.payments.v1.StreamPaymentEventsResponse> getStreamPaymentEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamPaymentEvents",
      requestType = dev.payonce.payments.v1.StreamPaymentEventsRequest.class,
      responseType = dev.payonce.payments.v1.StreamPaymentEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.payonce.payments.v1.StreamPaymentEventsRequest,
      dev.payonce.payments.v1.StreamPaymentEventsResponse> getStreamPaymentEventsMethod() {
    io.grpc.MethodDescriptor<dev.payonce.payments.v1.StreamPaymentEventsRequest, dev.payonce.payments.v1.StreamPaymentEventsResponse> getStreamPaymentEventsMethod;
    if ((getStreamPaymentEventsMethod = PaymentServiceGrpc.getStreamPaymentEventsMethod) == null) {
      synchronized (PaymentServiceGrpc.class) {
        if ((getStreamPaymentEventsMethod = PaymentServiceGrpc.getStreamPaymentEventsMethod) == null) {
          PaymentServiceGrpc.getStreamPaymentEventsMethod = getStreamPaymentEventsMethod =
              io.grpc.MethodDescriptor.<dev.payonce.payments.v1.StreamPaymentEventsRequest, dev.payonce.payments.v1.StreamPaymentEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamPaymentEvents"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.StreamPaymentEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.payments.v1.StreamPaymentEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentServiceMethodDescriptorSupplier("StreamPaymentEvents"))
              .build();
        }
      }
    }
    return getStreamPaymentEventsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static PaymentServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentServiceStub>() {
        @java.lang.Override
        public PaymentServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentServiceStub(channel, callOptions);
        }
      };
    return PaymentServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static PaymentServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentServiceBlockingV2Stub>() {
        @java.lang.Override
        public PaymentServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return PaymentServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static PaymentServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentServiceBlockingStub>() {
        @java.lang.Override
        public PaymentServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentServiceBlockingStub(channel, callOptions);
        }
      };
    return PaymentServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static PaymentServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentServiceFutureStub>() {
        @java.lang.Override
        public PaymentServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentServiceFutureStub(channel, callOptions);
        }
      };
    return PaymentServiceFutureStub.newStub(factory, channel);
  }

  /**
   */
  public interface AsyncService {

    /**
     * <pre>
     * Authorizes an amount on a payment method, and captures it at once unless
     * the capture method is manual. A declined card is an answer, not an error:
     * OK, with PAYMENT_STATUS_DECLINED and a decline code.
     * </pre>
     */
    default void createPayment(dev.payonce.payments.v1.CreatePaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CreatePaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreatePaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Captures an authorized payment, wholly or in part. May be repeated, each
     * time with a new key, until the authorized amount is used up.
     * </pre>
     */
    default void capturePayment(dev.payonce.payments.v1.CapturePaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CapturePaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCapturePaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels an authorized payment of which nothing is captured yet.
     * </pre>
     */
    default void cancelPayment(dev.payonce.payments.v1.CancelPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CancelPaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelPaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns captured money, wholly or in part. May be repeated, each time with
     * a new key, until the captured amount is used up.
     * </pre>
     */
    default void refundPayment(dev.payonce.payments.v1.RefundPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.RefundPaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRefundPaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads a payment, by its id or by the key that created it.
     * </pre>
     */
    default void getPayment(dev.payonce.payments.v1.GetPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.GetPaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetPaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists payments, the newest first.
     * </pre>
     */
    default void listPayments(dev.payonce.payments.v1.ListPaymentsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListPaymentsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListPaymentsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists ledger entries in the order they were written.
     * </pre>
     */
    default void listLedgerEntries(dev.payonce.payments.v1.ListLedgerEntriesRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListLedgerEntriesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListLedgerEntriesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Follows the state transitions of payments, each at least once, in order
     * for each payment. Resumes after any event id that was seen.
     * </pre>
     */
    default void streamPaymentEvents(dev.payonce.payments.v1.StreamPaymentEventsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.StreamPaymentEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStreamPaymentEventsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service PaymentService.
   */
  public static abstract class PaymentServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return PaymentServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service PaymentService.
   */
  public static final class PaymentServiceStub
      extends io.grpc.stub.AbstractAsyncStub<PaymentServiceStub> {
    private PaymentServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Authorizes an amount on a payment method, and captures it at once unless
     * the capture method is manual. A declined card is an answer, not an error:
     * OK, with PAYMENT_STATUS_DECLINED and a decline code.
     * </pre>
     */
    public void createPayment(dev.payonce.payments.v1.CreatePaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CreatePaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreatePaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Captures an authorized payment, wholly or in part. May be repeated, each
     * time with a new key, until the authorized amount is used up.
     * </pre>
     */
    public void capturePayment(dev.payonce.payments.v1.CapturePaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CapturePaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCapturePaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels an authorized payment of which nothing is captured yet.
     * </pre>
     */
    public void cancelPayment(dev.payonce.payments.v1.CancelPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CancelPaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelPaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns captured money, wholly or in part. May be repeated, each time with
     * a new key, until the captured amount is used up.
     * </pre>
     */
    public void refundPayment(dev.payonce.payments.v1.RefundPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.RefundPaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRefundPaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads a payment, by its id or by the key that created it.
     * </pre>
     */
    public void getPayment(dev.payonce.payments.v1.GetPaymentRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.GetPaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetPaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists payments, the newest first.
     * </pre>
     */
    public void listPayments(dev.payonce.payments.v1.ListPaymentsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListPaymentsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListPaymentsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists ledger entries in the order they were written.
     * </pre>
     */
    public void listLedgerEntries(dev.payonce.payments.v1.ListLedgerEntriesRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListLedgerEntriesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListLedgerEntriesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Follows the state transitions of payments, each at least once, in order
     * for each payment. Resumes after any event id that was seen.
     * </pre>
     */
    public void streamPaymentEvents(dev.payonce.payments.v1.StreamPaymentEventsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.payments.v1.StreamPaymentEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getStreamPaymentEventsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service PaymentService.
   */
  public static final class PaymentServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<PaymentServiceBlockingV2Stub> {
    private PaymentServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Authorizes an amount on a payment method, and captures it at once unless
     * the capture method is manual. A declined card is an answer, not an error:
     * OK, with PAYMENT_STATUS_DECLINED and a decline code.
     * </pre>
     */
    public dev.payonce.payments.v1.CreatePaymentResponse createPayment(dev.payonce.payments.v1.CreatePaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreatePaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Captures an authorized payment, wholly or in part. May be repeated, each
     * time with a new key, until the authorized amount is used up.
     * </pre>
     */
    public dev.payonce.payments.v1.CapturePaymentResponse capturePayment(dev.payonce.payments.v1.CapturePaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCapturePaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels an authorized payment of which nothing is captured yet.
     * </pre>
     */
    public dev.payonce.payments.v1.CancelPaymentResponse cancelPayment(dev.payonce.payments.v1.CancelPaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns captured money, wholly or in part. May be repeated, each time with
     * a new key, until the captured amount is used up.
     * </pre>
     */
    public dev.payonce.payments.v1.RefundPaymentResponse refundPayment(dev.payonce.payments.v1.RefundPaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRefundPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a payment, by its id or by the key that created it.
     * </pre>
     */
    public dev.payonce.payments.v1.GetPaymentResponse getPayment(dev.payonce.payments.v1.GetPaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists payments, the newest first.
     * </pre>
     */
    public dev.payonce.payments.v1.ListPaymentsResponse listPayments(dev.payonce.payments.v1.ListPaymentsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListPaymentsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists ledger entries in the order they were written.
     * </pre>
     */
    public dev.payonce.payments.v1.ListLedgerEntriesResponse listLedgerEntries(dev.payonce.payments.v1.ListLedgerEntriesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListLedgerEntriesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Follows the state transitions of payments, each at least once, in order
     * for each payment. Resumes after any event id that was seen.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.payonce.payments.v1.StreamPaymentEventsResponse>
        streamPaymentEvents(dev.payonce.payments.v1.StreamPaymentEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getStreamPaymentEventsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service PaymentService.
   */
  public static final class PaymentServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<PaymentServiceBlockingStub> {
    private PaymentServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Authorizes an amount on a payment method, and captures it at once unless
     * the capture method is manual. A declined card is an answer, not an error:
     * OK, with PAYMENT_STATUS_DECLINED and a decline code.
     * </pre>
     */
    public dev.payonce.payments.v1.CreatePaymentResponse createPayment(dev.payonce.payments.v1.CreatePaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreatePaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Captures an authorized payment, wholly or in part. May be repeated, each
     * time with a new key, until the authorized amount is used up.
     * </pre>
     */
    public dev.payonce.payments.v1.CapturePaymentResponse capturePayment(dev.payonce.payments.v1.CapturePaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCapturePaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels an authorized payment of which nothing is captured yet.
     * </pre>
     */
    public dev.payonce.payments.v1.CancelPaymentResponse cancelPayment(dev.payonce.payments.v1.CancelPaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns captured money, wholly or in part. May be repeated, each time with
     * a new key, until the captured amount is used up.
     * </pre>
     */
    public dev.payonce.payments.v1.RefundPaymentResponse refundPayment(dev.payonce.payments.v1.RefundPaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRefundPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads a payment, by its id or by the key that created it.
     * </pre>
     */
    public dev.payonce.payments.v1.GetPaymentResponse getPayment(dev.payonce.payments.v1.GetPaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists payments, the newest first.
     * </pre>
     */
    public dev.payonce.payments.v1.ListPaymentsResponse listPayments(dev.payonce.payments.v1.ListPaymentsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListPaymentsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists ledger entries in the order they were written.
     * </pre>
     */
    public dev.payonce.payments.v1.ListLedgerEntriesResponse listLedgerEntries(dev.payonce.payments.v1.ListLedgerEntriesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListLedgerEntriesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Follows the state transitions of payments, each at least once, in order
     * for each payment. Resumes after any event id that was seen.
     * </pre>
     */
    public java.util.Iterator<dev.payonce.payments.v1.StreamPaymentEventsResponse> streamPaymentEvents(
        dev.payonce.payments.v1.StreamPaymentEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getStreamPaymentEventsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service PaymentService.
   */
  public static final class PaymentServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<PaymentServiceFutureStub> {
    private PaymentServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Authorizes an amount on a payment method, and captures it at once unless
     * the capture method is manual. A declined card is an answer, not an error:
     * OK, with PAYMENT_STATUS_DECLINED and a decline code.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.CreatePaymentResponse> createPayment(
        dev.payonce.payments.v1.CreatePaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreatePaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Captures an authorized payment, wholly or in part. May be repeated, each
     * time with a new key, until the authorized amount is used up.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.CapturePaymentResponse> capturePayment(
        dev.payonce.payments.v1.CapturePaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCapturePaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels an authorized payment of which nothing is captured yet.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.CancelPaymentResponse> cancelPayment(
        dev.payonce.payments.v1.CancelPaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelPaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns captured money, wholly or in part. May be repeated, each time with
     * a new key, until the captured amount is used up.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.RefundPaymentResponse> refundPayment(
        dev.payonce.payments.v1.RefundPaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRefundPaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads a payment, by its id or by the key that created it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.GetPaymentResponse> getPayment(
        dev.payonce.payments.v1.GetPaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetPaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists payments, the newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.ListPaymentsResponse> listPayments(
        dev.payonce.payments.v1.ListPaymentsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListPaymentsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists ledger entries in the order they were written.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.payments.v1.ListLedgerEntriesResponse> listLedgerEntries(
        dev.payonce.payments.v1.ListLedgerEntriesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListLedgerEntriesMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_PAYMENT = 0;
  private static final int METHODID_CAPTURE_PAYMENT = 1;
  private static final int METHODID_CANCEL_PAYMENT = 2;
  private static final int METHODID_REFUND_PAYMENT = 3;
  private static final int METHODID_GET_PAYMENT = 4;
  private static final int METHODID_LIST_PAYMENTS = 5;
  private static final int METHODID_LIST_LEDGER_ENTRIES = 6;
  private static final int METHODID_STREAM_PAYMENT_EVENTS = 7;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_CREATE_PAYMENT:
          serviceImpl.createPayment((dev.payonce.payments.v1.CreatePaymentRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CreatePaymentResponse>) responseObserver);
          break;
        case METHODID_CAPTURE_PAYMENT:
          serviceImpl.capturePayment((dev.payonce.payments.v1.CapturePaymentRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CapturePaymentResponse>) responseObserver);
          break;
        case METHODID_CANCEL_PAYMENT:
          serviceImpl.cancelPayment((dev.payonce.payments.v1.CancelPaymentRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.CancelPaymentResponse>) responseObserver);
          break;
        case METHODID_REFUND_PAYMENT:
          serviceImpl.refundPayment((dev.payonce.payments.v1.RefundPaymentRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.RefundPaymentResponse>) responseObserver);
          break;
        case METHODID_GET_PAYMENT:
          serviceImpl.getPayment((dev.payonce.payments.v1.GetPaymentRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.GetPaymentResponse>) responseObserver);
          break;
        case METHODID_LIST_PAYMENTS:
          serviceImpl.listPayments((dev.payonce.payments.v1.ListPaymentsRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListPaymentsResponse>) responseObserver);
          break;
        case METHODID_LIST_LEDGER_ENTRIES:
          serviceImpl.listLedgerEntries((dev.payonce.payments.v1.ListLedgerEntriesRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.ListLedgerEntriesResponse>) responseObserver);
          break;
        case METHODID_STREAM_PAYMENT_EVENTS:
          serviceImpl.streamPaymentEvents((dev.payonce.payments.v1.StreamPaymentEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.payments.v1.StreamPaymentEventsResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getCreatePaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.CreatePaymentRequest,
              dev.payonce.payments.v1.CreatePaymentResponse>(
                service, METHODID_CREATE_PAYMENT)))
        .addMethod(
          getCapturePaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.CapturePaymentRequest,
              dev.payonce.payments.v1.CapturePaymentResponse>(
                service, METHODID_CAPTURE_PAYMENT)))
        .addMethod(
          getCancelPaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.CancelPaymentRequest,
              dev.payonce.payments.v1.CancelPaymentResponse>(
                service, METHODID_CANCEL_PAYMENT)))
        .addMethod(
          getRefundPaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.RefundPaymentRequest,
              dev.payonce.payments.v1.RefundPaymentResponse>(
                service, METHODID_REFUND_PAYMENT)))
        .addMethod(
          getGetPaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.GetPaymentRequest,
              dev.payonce.payments.v1.GetPaymentResponse>(
                service, METHODID_GET_PAYMENT)))
        .addMethod(
          getListPaymentsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.ListPaymentsRequest,
              dev.payonce.payments.v1.ListPaymentsResponse>(
                service, METHODID_LIST_PAYMENTS)))
        .addMethod(
          getListLedgerEntriesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.payments.v1.ListLedgerEntriesRequest,
              dev.payonce.payments.v1.ListLedgerEntriesResponse>(
                service, METHODID_LIST_LEDGER_ENTRIES)))
        .addMethod(
          getStreamPaymentEventsMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.payonce.payments.v1.StreamPaymentEventsRequest,
              dev.payonce.payments.v1.StreamPaymentEventsResponse>(
                service, METHODID_STREAM_PAYMENT_EVENTS)))
        .build();
  }

  private static abstract class PaymentServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    PaymentServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.payonce.payments.v1.PaymentsProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("PaymentService");
    }
  }

  private static final class PaymentServiceFileDescriptorSupplier
      extends PaymentServiceBaseDescriptorSupplier {
    PaymentServiceFileDescriptorSupplier() {}
  }

  private static final class PaymentServiceMethodDescriptorSupplier
      extends PaymentServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    PaymentServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (PaymentServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new PaymentServiceFileDescriptorSupplier())
              .addMethod(getCreatePaymentMethod())
              .addMethod(getCapturePaymentMethod())
              .addMethod(getCancelPaymentMethod())
              .addMethod(getRefundPaymentMethod())
              .addMethod(getGetPaymentMethod())
              .addMethod(getListPaymentsMethod())
              .addMethod(getListLedgerEntriesMethod())
              .addMethod(getStreamPaymentEventsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
