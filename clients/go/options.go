package payonce

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// The defaults are patient with a server that restarts, and quick with one that
// was only busy. They are the same in every language.
const (
	defaultMaxAttempts    = 10
	defaultInitialBackoff = 100 * time.Millisecond
	defaultMaxBackoff     = 5 * time.Second
)

// Option changes what the interceptor does.
type Option func(*settings)

// KeyFunc makes the key of a call that has none: 1 to 255 characters, each 0x21
// to 0x7E. It is asked once for a call, before the first attempt, with the full
// method name, such as /acme.v1.Orders/PlaceOrder, and the request. An error, or
// an empty key, ends the call before anything is sent.
type KeyFunc func(ctx context.Context, method string, req any) (string, error)

type settings struct {
	maxAttempts    int
	initialBackoff time.Duration
	maxBackoff     time.Duration
	keyFunc        KeyFunc
	// random returns a number in [0, 1).
	random func() float64
}

func newSettings(opts []Option) *settings {
	s := &settings{
		maxAttempts:    defaultMaxAttempts,
		initialBackoff: defaultInitialBackoff,
		maxBackoff:     defaultMaxBackoff,
		keyFunc:        func(context.Context, string, any) (string, error) { return NewKey(), nil },
		random:         rand.Float64,
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// WithMaxAttempts bounds the attempts of a call, the first one included. The
// default is 10. It panics if there is less than one.
func WithMaxAttempts(attempts int) Option {
	if attempts < 1 {
		panic(fmt.Sprintf("payonce: WithMaxAttempts(%d): must be at least 1", attempts))
	}
	return func(s *settings) { s.maxAttempts = attempts }
}

// WithInitialBackoff sets how long the first retry waits at most when the server
// names no delay, and how much is added at most, at random, when it does. The
// default is 100 ms. It panics if the backoff is negative.
func WithInitialBackoff(backoff time.Duration) Option {
	if backoff < 0 {
		panic(fmt.Sprintf("payonce: WithInitialBackoff(%v): must not be negative", backoff))
	}
	return func(s *settings) { s.initialBackoff = backoff }
}

// WithMaxBackoff sets how long any retry waits at most when the server names no
// delay. The default is 5 s. It panics if the backoff is negative.
func WithMaxBackoff(backoff time.Duration) Option {
	if backoff < 0 {
		panic(fmt.Sprintf("payonce: WithMaxBackoff(%v): must not be negative", backoff))
	}
	return func(s *settings) { s.maxBackoff = backoff }
}

// WithKeyFunc replaces NewKey, with a business key for instance: one that the
// same intent always has, also after a restart of the caller. It panics if the
// function is nil.
func WithKeyFunc(keyFunc KeyFunc) Option {
	if keyFunc == nil {
		panic("payonce: WithKeyFunc(nil): must be a function")
	}
	return func(s *settings) { s.keyFunc = keyFunc }
}
