package payonce

import (
	"math"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

// What needs a random number, or a policy, of the test's choice.

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	settings := newSettings([]Option{WithInitialBackoff(100 * time.Millisecond), WithMaxBackoff(time.Second)})
	failed := answer{err: status.Error(codes.Unavailable, "")}
	for retries, limit := range map[int]time.Duration{
		0:    100 * time.Millisecond,
		1:    200 * time.Millisecond,
		3:    800 * time.Millisecond,
		4:    time.Second,
		5000: time.Second,
	} {
		for _, random := range []float64{0, 0.5} {
			settings.random = func() float64 { return random }
			want := time.Duration(random * float64(limit))
			if got, ok := settings.retryDelay(failed, retries); !ok || got != want {
				t.Errorf("after %d retries, random %v: delay = %v, %v, want %v", retries, random, got, ok, want)
			}
		}
	}
}

func TestLongDelayOfAServerDoesNotOverflow(t *testing.T) {
	detailed, err := status.New(codes.Unavailable, "").WithDetails(
		&errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: math.MaxInt64}})
	if err != nil {
		t.Fatal(err)
	}
	delay, ok := newSettings(nil).retryDelay(answer{err: detailed.Err()}, 0)
	if !ok || delay < longestServerDelay {
		t.Errorf("delay = %v, %v, want at least %v", delay, ok, longestServerDelay)
	}
}

func TestKeyFieldIsTheOneThatThePolicyNames(t *testing.T) {
	request := &paymentsv1.CreatePaymentRequest{
		IdempotencyKey:    "default",
		MerchantReference: "order-1",
		Amount:            &paymentsv1.Money{MinorUnits: 1},
	}
	for field, want := range map[string]string{
		"":                   "default",
		"merchant_reference": "order-1",
		"amount":             "", // no string
		"missing":            "",
	} {
		policy := &idempotencyv1.IdempotencyPolicy{KeyField: field}
		if got := keyInField(request, policy); got != want {
			t.Errorf("key in field %q = %q, want %q", field, got, want)
		}
	}
}
