package dev.payonce.client;

import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * One unary call that is sent as often as its answers ask for. Nothing is sent before the
 * half-close, because the key may be in the message; nothing is delivered before the last answer.
 *
 * <p>At any time the call is idle, has one attempt under way, waits for the next one, or has ended.
 * Neither other interceptors nor the listener are called under the lock.
 */
final class RetryingCall<RequestT, ResponseT> extends ClientCall<RequestT, ResponseT> {
  /** One more than there must be, so that a second message is seen. */
  private static final int REQUESTED_MESSAGES = 2;

  private final Function<CallOptions, ClientCall<RequestT, ResponseT>> newCall;
  private final CallOptions callOptions;
  private final KeySource keySource;
  private final Retries retries;
  private final Executor executor;
  private final Context context = Context.current();
  private final Context.CancellationListener onContextCancelled =
      cancelled -> endBetweenAttempts(Contexts.statusFromCancelled(cancelled));

  // What the caller hands over before its half-close.
  private Listener<ResponseT> listener;
  private Metadata headers;
  private RequestT message;
  private boolean compression = true; // as ClientCall has it
  private String key;

  private final Object lock = new Object();

  // Guarded by the lock until the call has ended; null where there is none.
  private Attempt underWay;
  private Future<?> nextAttempt;
  private Status cancellation;
  private int attempts;
  private boolean ended;

  /**
   * Makes a call that is not started.
   *
   * @param newCall makes the call of one attempt
   */
  RetryingCall(
      Function<CallOptions, ClientCall<RequestT, ResponseT>> newCall,
      CallOptions callOptions,
      KeySource keySource,
      Retries retries) {
    this.newCall = newCall;
    this.callOptions = callOptions;
    this.keySource = keySource;
    this.retries = retries;
    // A blocking stub brings its own, which runs in the waiting thread. The channel's is not to be
    // had from here.
    Executor own = callOptions.getExecutor();
    executor = own != null ? own : ForkJoinPool.commonPool();
  }

  @Override
  public void start(Listener<ResponseT> listener, Metadata headers) {
    synchronized (lock) {
      if (cancellation != null) {
        throw new IllegalStateException("The call was cancelled before its start");
      }
      this.listener = listener;
      this.headers = headers;
    }
    context.addListener(onContextCancelled, Runnable::run);
  }

  /** Does nothing: each attempt asks for its messages by itself. */
  @Override
  public void request(int messages) {}

  @Override
  public void setMessageCompression(boolean enabled) {
    compression = enabled;
  }

  @Override
  public void sendMessage(RequestT message) {
    this.message = message;
  }

  @Override
  public void halfClose() {
    key = keySource.ensureKey(headers, message);
    sendAttempt();
  }

  @Override
  public void cancel(String description, Throwable cause) {
    Status status =
        Status.CANCELLED
            .withDescription(description != null ? description : "Cancelled by the caller")
            .withCause(cause);
    Attempt toCancel;
    synchronized (lock) {
      if (cancellation != null || ended) {
        return;
      }
      cancellation = status;
      toCancel = underWay;
      if (toCancel != null && !toCancel.isSent) {
        return; // gRPC lets no other thread cancel before that; the sending one will
      }
    }
    if (toCancel != null) {
      toCancel.call.cancel(status.getDescription(), cause);
    } else {
      endBetweenAttempts(status);
    }
  }

  @Override
  public Attributes getAttributes() {
    synchronized (lock) {
      return underWay != null && underWay.isSent ? underWay.call.getAttributes() : Attributes.EMPTY;
    }
  }

  private void sendAttempt() {
    Attempt attempt = new Attempt();
    CallOptions options;
    synchronized (lock) {
      if (ended || cancellation != null) {
        return;
      }
      underWay = attempt;
      attempts++;
      options = optionsOfAttempt();
    }
    try {
      context.run(() -> attempt.send(options));
    } catch (RuntimeException | Error thrown) {
      attempt.failed(thrown);
      return;
    }
    Status cancelled;
    synchronized (lock) {
      attempt.isSent = true;
      cancelled = cancellation;
    }
    if (cancelled != null) {
      attempt.call.cancel(cancelled.getDescription(), cancelled.getCause());
    }
  }

  /**
   * The caller's, for the first attempt. Further ones wait for the connection: to fail at once, as
   * long as the channel backs off from connecting, would use them all up. A deadline must bound it.
   */
  private CallOptions optionsOfAttempt() {
    return attempts > 1 && deadline().isPresent() ? callOptions.withWaitForReady() : callOptions;
  }

  /** Schedules the next attempt if the answer is worth one. The caller holds the lock. */
  private boolean scheduleNext(Answer<ResponseT> answer) {
    if (cancellation != null || context.isCancelled()) {
      return false;
    }
    double random = ThreadLocalRandom.current().nextDouble();
    Optional<Duration> delay =
        retries.policy().delayAfter(attempts, answer.status(), answer.trailers(), random);
    if (delay.isEmpty() || !fitsIntoDeadline(delay.get())) {
      return false;
    }
    try {
      nextAttempt =
          retries
              .scheduler()
              .schedule(
                  () -> executor.execute(this::sendAttempt),
                  TimeUnit.NANOSECONDS.convert(delay.get()),
                  TimeUnit.NANOSECONDS);
      return true;
    } catch (RejectedExecutionException shutDown) {
      return false;
    }
  }

  private boolean fitsIntoDeadline(Duration delay) {
    return deadline()
        .map(deadline -> Duration.ofNanos(deadline.timeRemaining(TimeUnit.NANOSECONDS)))
        .map(remaining -> delay.compareTo(remaining) < 0)
        .orElse(true);
  }

  /** The earlier one of the call's and the context's. */
  private Optional<Deadline> deadline() {
    return Stream.of(callOptions.getDeadline(), context.getDeadline())
        .filter(Objects::nonNull)
        .reduce(Deadline::minimum);
  }

  private void endBetweenAttempts(Status status) {
    synchronized (lock) {
      if (ended || underWay != null || listener == null) {
        return;
      }
      ended = true;
      if (nextAttempt != null) {
        nextAttempt.cancel(false);
      }
    }
    finishInExecutor(status);
  }

  private void finishInExecutor(Status status) {
    executor.execute(context.wrap(() -> finish(Answer.without(status))));
  }

  private void finish(Answer<ResponseT> answer) {
    context.removeListener(onContextCancelled);
    Status status = answer.status();
    try {
      report(answer);
      answer.headers().ifPresent(listener::onHeaders);
      answer.messages().forEach(listener::onMessage);
    } catch (RuntimeException | Error thrown) {
      // As gRPC does: who fails to take the answer still learns that the call has ended.
      status = Status.CANCELLED.withDescription("The listener has failed").withCause(thrown);
    }
    listener.onClose(status, answer.trailers());
  }

  private void report(Answer<ResponseT> answer) {
    Consumer<? super IdempotencyReport> consumer = callOptions.getOption(Idempotency.REPORT);
    if (consumer != null && attempts > 0) {
      consumer.accept(new IdempotencyReport(key, attempts, answer.isReplayed()));
    }
  }

  /** Sends the call once, and keeps what comes back until it is known to be the last answer. */
  private final class Attempt extends Listener<ResponseT> {
    private ClientCall<RequestT, ResponseT> call;
    private boolean isSent; // guarded by the lock; other threads use the call only after it
    private Optional<Metadata> responseHeaders = Optional.empty();
    private final List<ResponseT> messages = new ArrayList<>();

    void send(CallOptions options) {
      call = newCall.apply(options);
      Metadata ownHeaders = new Metadata(); // the next interceptors may change it
      ownHeaders.merge(headers);
      call.start(this, ownHeaders);
      call.request(REQUESTED_MESSAGES);
      call.setMessageCompression(compression);
      call.sendMessage(message);
      call.halfClose();
    }

    /** Ends the call with what another interceptor, or making the call, has thrown. */
    void failed(Throwable thrown) {
      synchronized (lock) {
        if (underWay != this) {
          return;
        }
        underWay = null;
        ended = true;
      }
      if (call != null) {
        call.cancel("Failed to send", thrown);
      }
      finishInExecutor(Status.fromThrowable(thrown));
    }

    @Override
    public void onHeaders(Metadata received) {
      responseHeaders = Optional.of(received);
    }

    @Override
    public void onMessage(ResponseT received) {
      messages.add(received);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      Answer<ResponseT> answer = new Answer<>(responseHeaders, messages, status, trailers);
      synchronized (lock) {
        if (underWay != this) {
          return;
        }
        underWay = null;
        if (scheduleNext(answer)) {
          return;
        }
        ended = true;
      }
      finish(answer);
    }
  }
}
