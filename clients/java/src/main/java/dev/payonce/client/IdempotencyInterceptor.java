package dev.payonce.client;

import static java.util.Objects.requireNonNull;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;

/**
 * Gives every call that needs one an idempotency key, and retries it without ever becoming a second
 * call.
 *
 * <p>A call needs a key if its method is unary and carries the option {@code
 * payonce.idempotency.v1.idempotency} without {@code required: false}. The key is the one that the
 * call's metadata, {@link Idempotency#withKey} or the request's key field carries; for any other
 * call the {@link Builder#keyFunction key function} makes one before the first attempt. All other
 * calls pass as they are, with the key of {@link Idempotency#withKey} if they have one.
 *
 * <p>An attempt is followed by another, under the same key, if it ended with {@code ABORTED} or
 * {@code UNAVAILABLE}, with any code and a delay from the server, or with {@code CANCELLED}
 * although the caller did not cancel. The call's deadline is one for all attempts: a call with a
 * deadline waits for a lost connection until then, one without fails after the last attempt.
 *
 * <p>Turn gRPC's own retries off ({@code ManagedChannelBuilder.disableRetry()}). Interceptors that
 * must see each attempt, such as one that renews a token, go nearer to the channel: before this one
 * in {@code ManagedChannelBuilder.intercept}.
 *
 * <p>An interceptor is immutable, and may serve any number of channels.
 */
public final class IdempotencyInterceptor implements ClientInterceptor {
  private final KeyFunction keyFunction;
  private final Retries retries;

  private IdempotencyInterceptor(Builder builder) {
    keyFunction = builder.keyFunction;
    retries =
        new Retries(
            new RetryPolicy(builder.maxAttempts, builder.initialBackoff, builder.maxBackoff),
            builder.scheduler != null ? builder.scheduler : SharedScheduler.get());
  }

  /** Returns an interceptor with the defaults. */
  public static IdempotencyInterceptor create() {
    return builder().build();
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public <RequestT, ResponseT> ClientCall<RequestT, ResponseT> interceptCall(
      MethodDescriptor<RequestT, ResponseT> method, CallOptions callOptions, Channel next) {
    Optional<KeyedMethod> keyed = KeyedMethod.of(method);
    Optional<String> givenKey = Optional.ofNullable(callOptions.getOption(Idempotency.KEY));
    if (keyed.isPresent()) {
      return new RetryingCall<>(
          attemptOptions -> next.newCall(method, attemptOptions),
          callOptions,
          new KeySource(keyed.get(), method, givenKey, keyFunction),
          retries);
    }
    ClientCall<RequestT, ResponseT> call = next.newCall(method, callOptions);
    return givenKey.isPresent() ? withKey(call, givenKey.get()) : call;
  }

  private static <RequestT, ResponseT> ClientCall<RequestT, ResponseT> withKey(
      ClientCall<RequestT, ResponseT> call, String key) {
    return new SimpleForwardingClientCall<>(call) {
      @Override
      public void start(Listener<ResponseT> listener, Metadata headers) {
        if (!headers.containsKey(KeyMetadata.KEY)) {
          headers.put(KeyMetadata.KEY, key);
        }
        super.start(listener, headers);
      }
    };
  }

  /** Collects what is to differ from the defaults. */
  public static final class Builder {
    private int maxAttempts = 10;
    private Duration initialBackoff = Duration.ofMillis(100);
    private Duration maxBackoff = Duration.ofSeconds(5);
    private KeyFunction keyFunction = (method, request) -> UUID.randomUUID().toString();
    private ScheduledExecutorService scheduler;

    private Builder() {}

    /** Sets the most attempts of one call, the first included; at least 1. Default: 10. */
    public Builder maxAttempts(int maxAttempts) {
      this.maxAttempts = maxAttempts;
      return this;
    }

    /**
     * Sets the longest backoff before the first retry without a delay from the server; it doubles
     * with each further one. Default: 100 ms.
     */
    public Builder initialBackoff(Duration initialBackoff) {
      this.initialBackoff = requireNonNull(initialBackoff, "initialBackoff");
      return this;
    }

    /** Sets the longest backoff before any retry without a delay from the server. Default: 5 s. */
    public Builder maxBackoff(Duration maxBackoff) {
      this.maxBackoff = requireNonNull(maxBackoff, "maxBackoff");
      return this;
    }

    /** Sets what names a call that carries no key. Default: a UUIDv4. */
    public Builder keyFunction(KeyFunction keyFunction) {
      this.keyFunction = requireNonNull(keyFunction, "keyFunction");
      return this;
    }

    /**
     * Sets what times the waits between attempts; the caller shuts it down, after the channels.
     * Default: one daemon thread for all interceptors.
     */
    public Builder scheduler(ScheduledExecutorService scheduler) {
      this.scheduler = requireNonNull(scheduler, "scheduler");
      return this;
    }

    /**
     * Builds the interceptor.
     *
     * @throws IllegalArgumentException if {@code maxAttempts} is below 1 or a backoff negative
     */
    public IdempotencyInterceptor build() {
      return new IdempotencyInterceptor(this);
    }
  }
}
