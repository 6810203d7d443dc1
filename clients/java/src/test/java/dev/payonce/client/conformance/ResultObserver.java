package dev.payonce.client.conformance;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import dev.payonce.client.IdempotencyReport;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.util.Base64;
import java.util.function.Consumer;

/** Gathers what became of one call. */
final class ResultObserver<ResponseT extends Message> implements StreamObserver<ResponseT> {
  private final String id;
  private final Consumer<Result> onEnd;
  private IdempotencyReport report = new IdempotencyReport("", 0, false);
  private String response = "";

  ResultObserver(String id, Consumer<Result> onEnd) {
    this.id = id;
    this.onEnd = onEnd;
  }

  void onReport(IdempotencyReport received) {
    report = received;
  }

  @Override
  public void onNext(ResponseT received) {
    response = Base64.getEncoder().encodeToString(received.toByteArray());
  }

  @Override
  public void onError(Throwable error) {
    end(Status.fromThrowable(error).getCode(), reasonOf(error));
  }

  @Override
  public void onCompleted() {
    end(Status.Code.OK, "");
  }

  private void end(Status.Code code, String reason) {
    onEnd.accept(
        new Result(
            id, code.name(), reason, report.key(), report.attempts(), report.replayed(), response));
  }

  private static String reasonOf(Throwable error) {
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    if (status == null) {
      return "";
    }
    try {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          return detail.unpack(ErrorInfo.class).getReason();
        }
      }
    } catch (InvalidProtocolBufferException malformed) {
      throw new IllegalStateException("The error's details are malformed", malformed);
    }
    return "";
  }
}
