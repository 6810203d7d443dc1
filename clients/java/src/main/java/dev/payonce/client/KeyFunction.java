package dev.payonce.client;

import io.grpc.MethodDescriptor;

/** Names a call that carries no key, for instance by a business key. */
@FunctionalInterface
public interface KeyFunction {
  /**
   * Returns the key of a call. Asked once for a call, before its first attempt, in the thread that
   * makes the call; what it throws, the call throws.
   *
   * @param method the method that is called
   * @param request the request message, as the caller passed it
   * @return 1 to 255 characters, each a visible ASCII character (0x21 to 0x7E)
   */
  String keyFor(MethodDescriptor<?, ?> method, Object request);
}
