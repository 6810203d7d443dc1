package payonce

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pushbackTrailer is how a server names a delay (gRFC A6).
const pushbackTrailer = "grpc-retry-pushback-ms"

// longestServerDelay is what fits a pushback, 32 bits of milliseconds. RetryInfo
// could name one that overflows when the jitter is added.
const longestServerDelay = math.MaxInt32 * time.Millisecond

// retryDelay returns how long to wait before the next attempt, or false if the
// failed answer is final. retries counts those made so far.
func (s *settings) retryDelay(failed answer, retries int) (time.Duration, bool) {
	// A server's delay gets a jitter too: callers who were told the same must not
	// come back together.
	if pushback := failed.trailer.Get(pushbackTrailer); len(pushback) > 0 {
		delay, ok := parsePushback(pushback)
		return delay + s.jitter(s.initialBackoff), ok
	}
	if delay, ok := retryInfoDelay(failed.err); ok {
		return delay + s.jitter(s.initialBackoff), true
	}
	switch status.Code(failed.err) {
	case codes.Aborted, codes.Unavailable, codes.Canceled:
		// The interceptor has seen that it was not the caller who canceled: a
		// connection broke.
		return s.jitter(s.backoffLimit(retries)), true
	default:
		return 0, false
	}
}

// parsePushback returns false for anything but one delay: a server that says
// -1, or nothing that can be understood, asks not to retry.
func parsePushback(values []string) (time.Duration, bool) {
	if len(values) != 1 {
		return 0, false
	}
	milliseconds, err := strconv.ParseInt(values[0], 10, 32)
	if err != nil || milliseconds < 0 {
		return 0, false
	}
	return time.Duration(milliseconds) * time.Millisecond, true
}

func retryInfoDelay(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		info, ok := detail.(*errdetails.RetryInfo)
		if !ok {
			continue
		}
		if delay := info.GetRetryDelay().AsDuration(); delay >= 0 {
			return min(delay, longestServerDelay), true
		}
	}
	return 0, false
}

// backoffLimit is the initial backoff, doubled with each retry so far.
func (s *settings) backoffLimit(retries int) time.Duration {
	limit := math.Ldexp(float64(s.initialBackoff), retries)
	if limit >= float64(s.maxBackoff) {
		return s.maxBackoff
	}
	return time.Duration(limit)
}

// jitter returns a random duration below the limit.
func (s *settings) jitter(limit time.Duration) time.Duration {
	return time.Duration(s.random() * float64(limit))
}
