package dev.payonce.client;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;

/**
 * All that one attempt brought back.
 *
 * @param messages one for an OK; any other number is an error that the stubs know how to report
 */
record Answer<ResponseT>(
    Optional<Metadata> headers, List<ResponseT> messages, Status status, Metadata trailers) {

  /** What a call ends with if no attempt could bring anything back. */
  static <ResponseT> Answer<ResponseT> without(Status status) {
    return new Answer<>(Optional.empty(), List.of(), status, new Metadata());
  }

  /** Whether it was given before, to an earlier attempt or call. */
  boolean isReplayed() {
    return status.isOk()
        ? headers.filter(KeyMetadata::isReplayed).isPresent()
        : KeyMetadata.isReplayed(trailers);
  }
}
