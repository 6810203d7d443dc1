package payonce

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// replayedMetadata is in the headers of an OK and in the trailers of an error.
const replayedMetadata = "idempotency-replayed"

// DialOptions is what a connection needs: UnaryClientInterceptor, and
// grpc.WithDisableRetry so that a service config's retry policy cannot multiply
// its attempts. Add them to the options of grpc.NewClient.
//
// WithDisableRetry is about all calls of the connection. To keep native retries
// for reads, use UnaryClientInterceptor alone, with a retry policy that does not
// name the methods that need a key.
//
// The transparent retries of grpc-go remain: a call that no server has seen,
// such as one refused by a server that is shutting down, may be sent once more.
// It has the same key, and counts as the same attempt.
func DialOptions(opts ...Option) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDisableRetry(),
		grpc.WithChainUnaryInterceptor(UnaryClientInterceptor(opts...)),
	}
}

// UnaryClientInterceptor gives a key to each call that needs one and has none,
// and sends the call again under the same key for as long as the answer can
// still change, the attempts last and the context allows. It returns the answer
// of the last attempt. If the context ends while it waits for the next one, it
// returns CANCELLED or DEADLINE_EXCEEDED; if the key function fails, its error.
//
// Interceptors that are chained after it see each attempt, those before it each
// call.
//
// An attempt of a call with a deadline waits for the connection, unless the
// caller says grpc.WaitForReady(false): attempts are not for spending on a
// server that cannot be reached. Without a deadline it fails at once, and the
// number of attempts bounds the call.
func UnaryClientInterceptor(opts ...Option) grpc.UnaryClientInterceptor {
	settings := newSettings(opts)
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, callOpts ...grpc.CallOption) error {
		policy := policyOf(method)
		if policy == nil {
			return invoker(ctx, method, req, reply, cc, callOpts...)
		}
		var report Report
		defer func() { writeReport(callOpts, report) }()

		ctx, key, err := settings.ensureKey(ctx, callToKey{method: method, request: req, policy: policy})
		if err != nil {
			return err
		}
		report.Key = key
		if _, ok := ctx.Deadline(); ok {
			// First, so that a choice of the caller's overrides it.
			callOpts = append([]grpc.CallOption{grpc.WaitForReady(true)}, callOpts...)
		}
		return settings.retry(ctx, &report, func() answer {
			var header, trailer metadata.MD
			// A new slice each time: interceptors below may append to theirs.
			attemptOpts := append(callOpts[:len(callOpts):len(callOpts)], grpc.Header(&header), grpc.Trailer(&trailer))
			err := invoker(ctx, method, req, reply, cc, attemptOpts...)
			return answer{header: header, trailer: trailer, err: err}
		})
	}
}

// answer is what one attempt ended with.
type answer struct {
	header, trailer metadata.MD
	err             error
}

func (a answer) replayed() bool {
	in := a.header
	if a.err != nil {
		in = a.trailer
	}
	values := in.Get(replayedMetadata)
	return len(values) == 1 && values[0] == "true"
}

// retry makes attempts until one has the answer to return.
func (s *settings) retry(ctx context.Context, report *Report, attempt func() answer) error {
	for {
		last := attempt()
		report.Attempts++
		report.Replayed = last.replayed()
		if last.err == nil || ctx.Err() != nil || report.Attempts == s.maxAttempts {
			return last.err
		}
		delay, ok := s.retryDelay(last, report.Attempts-1)
		if !ok {
			return last.err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
			return last.err
		}
		if err := sleep(ctx, delay); err != nil {
			report.Replayed = false // this answer is made here
			return status.Errorf(status.FromContextError(err).Code(), "%v before the next attempt, the last one: %v", err, last.err)
		}
	}
}

// sleep returns the context's error if that ends first.
func sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
