package dev.payonce.idempotency.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * For operators only. A caller's role is refused with PERMISSION_DENIED.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class InspectionServiceGrpc {

  private InspectionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "payonce.idempotency.v1.InspectionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.GetRecordRequest,
      dev.payonce.idempotency.v1.GetRecordResponse> getGetRecordMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetRecord",
      requestType = dev.payonce.idempotency.v1.GetRecordRequest.class,
      responseType = dev.payonce.idempotency.v1.GetRecordResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.GetRecordRequest,
      dev.payonce.idempotency.v1.GetRecordResponse> getGetRecordMethod() {
    io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.GetRecordRequest, dev.payonce.idempotency.v1.GetRecordResponse> getGetRecordMethod;
    if ((getGetRecordMethod = InspectionServiceGrpc.getGetRecordMethod) == null) {
      synchronized (InspectionServiceGrpc.class) {
        if ((getGetRecordMethod = InspectionServiceGrpc.getGetRecordMethod) == null) {
          InspectionServiceGrpc.getGetRecordMethod = getGetRecordMethod =
              io.grpc.MethodDescriptor.<dev.payonce.idempotency.v1.GetRecordRequest, dev.payonce.idempotency.v1.GetRecordResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetRecord"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.GetRecordRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.GetRecordResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InspectionServiceMethodDescriptorSupplier("GetRecord"))
              .build();
        }
      }
    }
    return getGetRecordMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListRecordsRequest,
      dev.payonce.idempotency.v1.ListRecordsResponse> getListRecordsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRecords",
      requestType = dev.payonce.idempotency.v1.ListRecordsRequest.class,
      responseType = dev.payonce.idempotency.v1.ListRecordsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListRecordsRequest,
      dev.payonce.idempotency.v1.ListRecordsResponse> getListRecordsMethod() {
    io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListRecordsRequest, dev.payonce.idempotency.v1.ListRecordsResponse> getListRecordsMethod;
    if ((getListRecordsMethod = InspectionServiceGrpc.getListRecordsMethod) == null) {
      synchronized (InspectionServiceGrpc.class) {
        if ((getListRecordsMethod = InspectionServiceGrpc.getListRecordsMethod) == null) {
          InspectionServiceGrpc.getListRecordsMethod = getListRecordsMethod =
              io.grpc.MethodDescriptor.<dev.payonce.idempotency.v1.ListRecordsRequest, dev.payonce.idempotency.v1.ListRecordsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRecords"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ListRecordsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ListRecordsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InspectionServiceMethodDescriptorSupplier("ListRecords"))
              .build();
        }
      }
    }
    return getListRecordsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ResolveKeyRequest,
      dev.payonce.idempotency.v1.ResolveKeyResponse> getResolveKeyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResolveKey",
      requestType = dev.payonce.idempotency.v1.ResolveKeyRequest.class,
      responseType = dev.payonce.idempotency.v1.ResolveKeyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ResolveKeyRequest,
      dev.payonce.idempotency.v1.ResolveKeyResponse> getResolveKeyMethod() {
    io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ResolveKeyRequest, dev.payonce.idempotency.v1.ResolveKeyResponse> getResolveKeyMethod;
    if ((getResolveKeyMethod = InspectionServiceGrpc.getResolveKeyMethod) == null) {
      synchronized (InspectionServiceGrpc.class) {
        if ((getResolveKeyMethod = InspectionServiceGrpc.getResolveKeyMethod) == null) {
          InspectionServiceGrpc.getResolveKeyMethod = getResolveKeyMethod =
              io.grpc.MethodDescriptor.<dev.payonce.idempotency.v1.ResolveKeyRequest, dev.payonce.idempotency.v1.ResolveKeyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResolveKey"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ResolveKeyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ResolveKeyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InspectionServiceMethodDescriptorSupplier("ResolveKey"))
              .build();
        }
      }
    }
    return getResolveKeyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListOperatorActsRequest,
      dev.payonce.idempotency.v1.ListOperatorActsResponse> getListOperatorActsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListOperatorActs",
      requestType = dev.payonce.idempotency.v1.ListOperatorActsRequest.class,
      responseType = dev.payonce.idempotency.v1.ListOperatorActsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListOperatorActsRequest,
      dev.payonce.idempotency.v1.ListOperatorActsResponse> getListOperatorActsMethod() {
    io.grpc.MethodDescriptor<dev.payonce.idempotency.v1.ListOperatorActsRequest, dev.payonce.idempotency.v1.ListOperatorActsResponse> getListOperatorActsMethod;
    if ((getListOperatorActsMethod = InspectionServiceGrpc.getListOperatorActsMethod) == null) {
      synchronized (InspectionServiceGrpc.class) {
        if ((getListOperatorActsMethod = InspectionServiceGrpc.getListOperatorActsMethod) == null) {
          InspectionServiceGrpc.getListOperatorActsMethod = getListOperatorActsMethod =
              io.grpc.MethodDescriptor.<dev.payonce.idempotency.v1.ListOperatorActsRequest, dev.payonce.idempotency.v1.ListOperatorActsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListOperatorActs"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ListOperatorActsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.payonce.idempotency.v1.ListOperatorActsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new InspectionServiceMethodDescriptorSupplier("ListOperatorActs"))
              .build();
        }
      }
    }
    return getListOperatorActsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static InspectionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InspectionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InspectionServiceStub>() {
        @java.lang.Override
        public InspectionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InspectionServiceStub(channel, callOptions);
        }
      };
    return InspectionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static InspectionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InspectionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InspectionServiceBlockingV2Stub>() {
        @java.lang.Override
        public InspectionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InspectionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return InspectionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static InspectionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InspectionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InspectionServiceBlockingStub>() {
        @java.lang.Override
        public InspectionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InspectionServiceBlockingStub(channel, callOptions);
        }
      };
    return InspectionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static InspectionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<InspectionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<InspectionServiceFutureStub>() {
        @java.lang.Override
        public InspectionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new InspectionServiceFutureStub(channel, callOptions);
        }
      };
    return InspectionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * One key's record and what happened to it. NOT_FOUND where there is none.
     * </pre>
     */
    default void getRecord(dev.payonce.idempotency.v1.GetRecordRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.GetRecordResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetRecordMethod(), responseObserver);
    }

    /**
     * <pre>
     * Records by state and operation, the newest first.
     * </pre>
     */
    default void listRecords(dev.payonce.idempotency.v1.ListRecordsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListRecordsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRecordsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Ends a key that is held: its owner is gone and nobody knows what it did.
     * Fenced by the record's token: a record that has moved on since it was read
     * is refused with ABORTED. Needs no key of its own, for the same reason.
     * </pre>
     */
    default void resolveKey(dev.payonce.idempotency.v1.ResolveKeyRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ResolveKeyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResolveKeyMethod(), responseObserver);
    }

    /**
     * <pre>
     * What operators have asked for of one tenant's keys, the newest first: every
     * call of this service that was not refused for the caller's role is written
     * down before it is carried out. Nothing is ever deleted.
     * </pre>
     */
    default void listOperatorActs(dev.payonce.idempotency.v1.ListOperatorActsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListOperatorActsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListOperatorActsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service InspectionService.
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public static abstract class InspectionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return InspectionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service InspectionService.
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public static final class InspectionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<InspectionServiceStub> {
    private InspectionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InspectionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InspectionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * One key's record and what happened to it. NOT_FOUND where there is none.
     * </pre>
     */
    public void getRecord(dev.payonce.idempotency.v1.GetRecordRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.GetRecordResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetRecordMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Records by state and operation, the newest first.
     * </pre>
     */
    public void listRecords(dev.payonce.idempotency.v1.ListRecordsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListRecordsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRecordsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Ends a key that is held: its owner is gone and nobody knows what it did.
     * Fenced by the record's token: a record that has moved on since it was read
     * is refused with ABORTED. Needs no key of its own, for the same reason.
     * </pre>
     */
    public void resolveKey(dev.payonce.idempotency.v1.ResolveKeyRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ResolveKeyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResolveKeyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * What operators have asked for of one tenant's keys, the newest first: every
     * call of this service that was not refused for the caller's role is written
     * down before it is carried out. Nothing is ever deleted.
     * </pre>
     */
    public void listOperatorActs(dev.payonce.idempotency.v1.ListOperatorActsRequest request,
        io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListOperatorActsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListOperatorActsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service InspectionService.
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public static final class InspectionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<InspectionServiceBlockingV2Stub> {
    private InspectionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InspectionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InspectionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * One key's record and what happened to it. NOT_FOUND where there is none.
     * </pre>
     */
    public dev.payonce.idempotency.v1.GetRecordResponse getRecord(dev.payonce.idempotency.v1.GetRecordRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetRecordMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Records by state and operation, the newest first.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ListRecordsResponse listRecords(dev.payonce.idempotency.v1.ListRecordsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRecordsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends a key that is held: its owner is gone and nobody knows what it did.
     * Fenced by the record's token: a record that has moved on since it was read
     * is refused with ABORTED. Needs no key of its own, for the same reason.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ResolveKeyResponse resolveKey(dev.payonce.idempotency.v1.ResolveKeyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResolveKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * What operators have asked for of one tenant's keys, the newest first: every
     * call of this service that was not refused for the caller's role is written
     * down before it is carried out. Nothing is ever deleted.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ListOperatorActsResponse listOperatorActs(dev.payonce.idempotency.v1.ListOperatorActsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListOperatorActsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service InspectionService.
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public static final class InspectionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<InspectionServiceBlockingStub> {
    private InspectionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InspectionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InspectionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * One key's record and what happened to it. NOT_FOUND where there is none.
     * </pre>
     */
    public dev.payonce.idempotency.v1.GetRecordResponse getRecord(dev.payonce.idempotency.v1.GetRecordRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetRecordMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Records by state and operation, the newest first.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ListRecordsResponse listRecords(dev.payonce.idempotency.v1.ListRecordsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRecordsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends a key that is held: its owner is gone and nobody knows what it did.
     * Fenced by the record's token: a record that has moved on since it was read
     * is refused with ABORTED. Needs no key of its own, for the same reason.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ResolveKeyResponse resolveKey(dev.payonce.idempotency.v1.ResolveKeyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResolveKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * What operators have asked for of one tenant's keys, the newest first: every
     * call of this service that was not refused for the caller's role is written
     * down before it is carried out. Nothing is ever deleted.
     * </pre>
     */
    public dev.payonce.idempotency.v1.ListOperatorActsResponse listOperatorActs(dev.payonce.idempotency.v1.ListOperatorActsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListOperatorActsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service InspectionService.
   * <pre>
   * For operators only. A caller's role is refused with PERMISSION_DENIED.
   * </pre>
   */
  public static final class InspectionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<InspectionServiceFutureStub> {
    private InspectionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected InspectionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new InspectionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * One key's record and what happened to it. NOT_FOUND where there is none.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.idempotency.v1.GetRecordResponse> getRecord(
        dev.payonce.idempotency.v1.GetRecordRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetRecordMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Records by state and operation, the newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.idempotency.v1.ListRecordsResponse> listRecords(
        dev.payonce.idempotency.v1.ListRecordsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRecordsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Ends a key that is held: its owner is gone and nobody knows what it did.
     * Fenced by the record's token: a record that has moved on since it was read
     * is refused with ABORTED. Needs no key of its own, for the same reason.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.idempotency.v1.ResolveKeyResponse> resolveKey(
        dev.payonce.idempotency.v1.ResolveKeyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResolveKeyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * What operators have asked for of one tenant's keys, the newest first: every
     * call of this service that was not refused for the caller's role is written
     * down before it is carried out. Nothing is ever deleted.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.payonce.idempotency.v1.ListOperatorActsResponse> listOperatorActs(
        dev.payonce.idempotency.v1.ListOperatorActsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListOperatorActsMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_RECORD = 0;
  private static final int METHODID_LIST_RECORDS = 1;
  private static final int METHODID_RESOLVE_KEY = 2;
  private static final int METHODID_LIST_OPERATOR_ACTS = 3;

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
        case METHODID_GET_RECORD:
          serviceImpl.getRecord((dev.payonce.idempotency.v1.GetRecordRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.GetRecordResponse>) responseObserver);
          break;
        case METHODID_LIST_RECORDS:
          serviceImpl.listRecords((dev.payonce.idempotency.v1.ListRecordsRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListRecordsResponse>) responseObserver);
          break;
        case METHODID_RESOLVE_KEY:
          serviceImpl.resolveKey((dev.payonce.idempotency.v1.ResolveKeyRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ResolveKeyResponse>) responseObserver);
          break;
        case METHODID_LIST_OPERATOR_ACTS:
          serviceImpl.listOperatorActs((dev.payonce.idempotency.v1.ListOperatorActsRequest) request,
              (io.grpc.stub.StreamObserver<dev.payonce.idempotency.v1.ListOperatorActsResponse>) responseObserver);
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
          getGetRecordMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.idempotency.v1.GetRecordRequest,
              dev.payonce.idempotency.v1.GetRecordResponse>(
                service, METHODID_GET_RECORD)))
        .addMethod(
          getListRecordsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.idempotency.v1.ListRecordsRequest,
              dev.payonce.idempotency.v1.ListRecordsResponse>(
                service, METHODID_LIST_RECORDS)))
        .addMethod(
          getResolveKeyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.idempotency.v1.ResolveKeyRequest,
              dev.payonce.idempotency.v1.ResolveKeyResponse>(
                service, METHODID_RESOLVE_KEY)))
        .addMethod(
          getListOperatorActsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.payonce.idempotency.v1.ListOperatorActsRequest,
              dev.payonce.idempotency.v1.ListOperatorActsResponse>(
                service, METHODID_LIST_OPERATOR_ACTS)))
        .build();
  }

  private static abstract class InspectionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    InspectionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.payonce.idempotency.v1.InspectionProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("InspectionService");
    }
  }

  private static final class InspectionServiceFileDescriptorSupplier
      extends InspectionServiceBaseDescriptorSupplier {
    InspectionServiceFileDescriptorSupplier() {}
  }

  private static final class InspectionServiceMethodDescriptorSupplier
      extends InspectionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    InspectionServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (InspectionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new InspectionServiceFileDescriptorSupplier())
              .addMethod(getGetRecordMethod())
              .addMethod(getListRecordsMethod())
              .addMethod(getResolveKeyMethod())
              .addMethod(getListOperatorActsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
