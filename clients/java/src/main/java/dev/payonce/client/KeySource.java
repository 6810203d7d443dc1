package dev.payonce.client;

import static java.util.Objects.requireNonNull;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.util.Optional;

/**
 * Where the key of one call comes from.
 *
 * @param keyed what the method's option says
 * @param method the method that is called
 * @param given the key of {@link Idempotency#withKey}, if the caller gave one
 * @param keyFunction makes the key of a call that carries none
 */
record KeySource(
    KeyedMethod keyed,
    MethodDescriptor<?, ?> method,
    Optional<String> given,
    KeyFunction keyFunction) {

  /**
   * Returns the key that all attempts carry; puts it into the headers unless the request has it.
   */
  String ensureKey(Metadata headers, Object request) {
    String inMetadata = headers.get(KeyMetadata.KEY);
    if (inMetadata != null) {
      return inMetadata;
    }
    if (given.isEmpty()) {
      Optional<String> inRequest = keyed.keyIn(request);
      if (inRequest.isPresent()) {
        return inRequest.get();
      }
    }
    String key = given.orElseGet(() -> newKey(request));
    headers.put(KeyMetadata.KEY, key);
    return key;
  }

  private String newKey(Object request) {
    String key = keyFunction.keyFor(method, request);
    return KeyMetadata.requireSendable(requireNonNull(key, "keyFunction must return a key"));
  }
}
