package payonce_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	payonce "payonce.dev/client"
	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

var uuidV4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

var twoFailures = []scriptedAnswer{{code: codes.Unavailable}, {code: codes.Aborted}}

func TestKeyOfACall(t *testing.T) {
	withField := proto.CloneOf(visa)
	withField.IdempotencyKey = "in-field"
	orderKey := payonce.WithKeyFunc(func(context.Context, string, any) (string, error) { return "order-1", nil })

	for _, test := range []struct {
		name     string
		given    []string
		request  *paymentsv1.CreatePaymentRequest
		options  []payonce.Option
		wantWire []string
		wantKey  string
	}{
		{name: "is the one given with the context", given: []string{"given"}, request: visa, options: []payonce.Option{orderKey}, wantWire: []string{"given"}, wantKey: "given"},
		{name: "is the one given last", given: []string{"given", "again"}, request: visa, wantWire: []string{"again"}, wantKey: "again"},
		{name: "is the one in the request", request: withField, options: []payonce.Option{orderKey}, wantWire: nil, wantKey: "in-field"},
		{name: "is made by the key function", request: visa, options: []payonce.Option{orderKey}, wantWire: []string{"order-1"}, wantKey: "order-1"},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			server := &scriptedServer{script: twoFailures}
			client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions(test.options...)...))
			ctx := t.Context()
			for _, key := range test.given {
				ctx = payonce.WithKey(ctx, key)
			}

			var report payonce.Report
			_, err := client.CreatePayment(ctx, test.request, payonce.ReportTo(&report))

			checkCode(t, err, codes.OK)
			checkAttempts(t, server, 3)
			for _, arrived := range server.arrivals() {
				if !slices.Equal(arrived.keys, test.wantWire) {
					t.Errorf("keys in the metadata = %q, want %q", arrived.keys, test.wantWire)
				}
			}
			if want := (payonce.Report{Key: test.wantKey, Attempts: 3}); report != want {
				t.Errorf("report = %+v, want %+v", report, want)
			}
		})
	}
}

func TestCallWithoutAKeyGetsAUUIDForAllItsAttempts(t *testing.T) {
	onFakeClock(t, "and another call another", func(t *testing.T) {
		server := &scriptedServer{script: twoFailures}
		client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))

		var first, second payonce.Report
		_, err := client.CreatePayment(t.Context(), visa, payonce.ReportTo(&first))
		checkCode(t, err, codes.OK)
		_, err = client.CreatePayment(t.Context(), visa, payonce.ReportTo(&second))
		checkCode(t, err, codes.OK)

		if !uuidV4.MatchString(first.Key) || first.Key == second.Key {
			t.Errorf("keys = %q and %q, want two UUIDs", first.Key, second.Key)
		}
		wantKeys := []string{first.Key, first.Key, first.Key, second.Key}
		for i, arrived := range server.arrivals() {
			if !slices.Equal(arrived.keys, wantKeys[i:i+1]) {
				t.Errorf("attempt %d had the keys %q, want %q", i, arrived.keys, wantKeys[i])
			}
		}
	})
}

func TestKeyFunctionIsAskedOnceWithTheCall(t *testing.T) {
	onFakeClock(t, "however many attempts there are", func(t *testing.T) {
		var methods []string
		var requests []any
		keyFunc := func(_ context.Context, method string, req any) (string, error) {
			methods, requests = append(methods, method), append(requests, req)
			return "order-1", nil
		}
		server := &scriptedServer{script: twoFailures}
		client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions(payonce.WithKeyFunc(keyFunc))...))

		_, err := client.CreatePayment(t.Context(), visa)

		checkCode(t, err, codes.OK)
		if !slices.Equal(methods, []string{paymentsv1.PaymentService_CreatePayment_FullMethodName}) {
			t.Errorf("asked for %q", methods)
		}
		if len(requests) != 1 || requests[0] != any(visa) {
			t.Errorf("asked with %v", requests)
		}
	})
}

func TestNothingIsSentWithoutAKey(t *testing.T) {
	errNoOrder := errors.New("no order")
	for _, test := range []struct {
		name string
		key  payonce.KeyFunc
		want error
	}{
		{name: "when the key function fails", key: func(context.Context, string, any) (string, error) { return "", errNoOrder }, want: errNoOrder},
		{name: "when the key function returns none", key: func(context.Context, string, any) (string, error) { return "", nil }},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			server := &scriptedServer{}
			client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions(payonce.WithKeyFunc(test.key))...))

			report := payonce.Report{Key: "of an earlier call", Attempts: 1}
			_, err := client.CreatePayment(t.Context(), visa, payonce.ReportTo(&report))

			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
			if report != (payonce.Report{}) {
				t.Errorf("report = %+v, want none", report)
			}
			checkAttempts(t, server, 0)
		})
	}
}

func TestMethodsThatNeedNoKeyAreLeftAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		call func(context.Context, grpc.ClientConnInterface, ...grpc.CallOption) error
	}{
		{name: "a read", call: func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) error {
			_, err := paymentsv1.NewPaymentServiceClient(conn).GetPayment(ctx, &paymentsv1.GetPaymentRequest{}, opts...)
			return err
		}},
		{name: "one that does not require a key", call: func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) error {
			_, err := idempotencyv1.NewInspectionServiceClient(conn).ResolveKey(ctx, &idempotencyv1.ResolveKeyRequest{}, opts...)
			return err
		}},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			delay := time.Second
			server := &scriptedServer{script: []scriptedAnswer{{code: codes.Unavailable, retryInfo: &delay}}}
			conn := server.start(t, payonce.DialOptions()...)

			var report payonce.Report
			err := test.call(t.Context(), conn, payonce.ReportTo(&report))

			checkCode(t, err, codes.Unavailable)
			checkAttempts(t, server, 1)
			if keys := server.arrivals()[0].keys; len(keys) > 0 {
				t.Errorf("keys in the metadata = %q, want none", keys)
			}
			if report != (payonce.Report{}) {
				t.Errorf("report = %+v, want none", report)
			}
		})
	}
}
