package payonce_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	payonce "payonce.dev/client"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

func TestWhatIsRetried(t *testing.T) {
	delay := 700 * time.Millisecond
	for _, test := range []struct {
		name     string
		first    scriptedAnswer
		wantCode codes.Code
		attempts int
		least    time.Duration // between the first two attempts
	}{
		{name: "ABORTED", first: scriptedAnswer{code: codes.Aborted}, attempts: 2},
		{name: "UNAVAILABLE", first: scriptedAnswer{code: codes.Unavailable}, attempts: 2},
		{name: "CANCELLED, if not by the caller", first: scriptedAnswer{code: codes.Canceled}, attempts: 2},
		{name: "any code with RetryInfo, after its delay", first: scriptedAnswer{code: codes.ResourceExhausted, retryInfo: &delay}, attempts: 2, least: delay},
		{name: "any code with a pushback, after its delay", first: scriptedAnswer{code: codes.Internal, pushback: []string{"900"}}, attempts: 2, least: 900 * time.Millisecond},
		{name: "a pushback before RetryInfo", first: scriptedAnswer{code: codes.Aborted, pushback: []string{"900"}, retryInfo: &delay}, attempts: 2, least: 900 * time.Millisecond},
		{name: "not RESOURCE_EXHAUSTED without a delay", first: scriptedAnswer{code: codes.ResourceExhausted}, wantCode: codes.ResourceExhausted, attempts: 1},
		{name: "not INTERNAL", first: scriptedAnswer{code: codes.Internal}, wantCode: codes.Internal, attempts: 1},
		{name: "not FAILED_PRECONDITION", first: scriptedAnswer{code: codes.FailedPrecondition}, wantCode: codes.FailedPrecondition, attempts: 1},
		{name: "not a pushback of -1", first: scriptedAnswer{code: codes.Unavailable, pushback: []string{"-1"}, retryInfo: &delay}, wantCode: codes.Unavailable, attempts: 1},
		{name: "not a pushback that is no number", first: scriptedAnswer{code: codes.Unavailable, pushback: []string{"soon"}}, wantCode: codes.Unavailable, attempts: 1},
		{name: "not two pushbacks", first: scriptedAnswer{code: codes.Unavailable, pushback: []string{"1", "2"}}, wantCode: codes.Unavailable, attempts: 1},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			server := &scriptedServer{script: []scriptedAnswer{test.first}}
			client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))

			var report payonce.Report
			_, err := client.CreatePayment(t.Context(), visa, payonce.ReportTo(&report))

			checkCode(t, err, test.wantCode)
			checkAttempts(t, server, test.attempts)
			if report.Attempts != test.attempts {
				t.Errorf("reported attempts = %d, want %d", report.Attempts, test.attempts)
			}
			if test.attempts < 2 {
				return
			}
			seen := server.arrivals()
			// The default initial backoff is the most that is added.
			most := test.least + 100*time.Millisecond
			if gap := seen[1].at.Sub(seen[0].at); gap < test.least || gap > most {
				t.Errorf("the second attempt came after %v, want %v to %v", gap, test.least, most)
			}
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	onFakeClock(t, "and the last answer is returned", func(t *testing.T) {
		server := &scriptedServer{script: []scriptedAnswer{{code: codes.Aborted}, {code: codes.Aborted}, {code: codes.Unavailable}}}
		client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions(payonce.WithMaxAttempts(3))...))

		_, err := client.CreatePayment(t.Context(), visa)

		checkCode(t, err, codes.Unavailable)
		checkAttempts(t, server, 3)
	})
}

func TestDeadlineIsOneForAllAttempts(t *testing.T) {
	onFakeClock(t, "and ends one that hangs", func(t *testing.T) {
		server := &scriptedServer{script: []scriptedAnswer{{code: codes.Unavailable, pushback: []string{"500"}}, {hang: true}}}
		client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		_, err := client.CreatePayment(ctx, visa)

		checkCode(t, err, codes.DeadlineExceeded)
		checkAttempts(t, server, 2)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
	})

	onFakeClock(t, "and is not waited for when a delay does not fit", func(t *testing.T) {
		server := &scriptedServer{script: []scriptedAnswer{{code: codes.Aborted, pushback: []string{"1000"}}}}
		client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		_, err := client.CreatePayment(ctx, visa)

		checkCode(t, err, codes.Aborted)
		checkAttempts(t, server, 1)
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v, want no time", took)
		}
	})
}

func TestCallerWhoCancels(t *testing.T) {
	for _, test := range []struct {
		name        string
		first       scriptedAnswer
		wantMessage string
	}{
		{name: "ends the attempt", first: scriptedAnswer{hang: true}, wantMessage: "context canceled"},
		{name: "ends the wait, and is told the last answer", first: scriptedAnswer{code: codes.Aborted, pushback: []string{"60000"}, replayed: true}, wantMessage: "context canceled before the next attempt, the last one: rpc error: code = Aborted desc = scripted"},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			server := &scriptedServer{script: []scriptedAnswer{test.first}}
			client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))
			start := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)

			var report payonce.Report
			_, err := client.CreatePayment(ctx, visa, payonce.ReportTo(&report))

			checkCode(t, err, codes.Canceled)
			if got := status.Convert(err).Message(); got != test.wantMessage {
				t.Errorf("message = %q, want %q", got, test.wantMessage)
			}
			checkAttempts(t, server, 1)
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %v, want 1s", took)
			}
			if report.Attempts != 1 || report.Replayed {
				t.Errorf("report = %+v, want one attempt and no replay", report)
			}
		})
	}
}

func TestReplayIsReported(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer scriptedAnswer
	}{
		{name: "of an OK, by its headers", answer: scriptedAnswer{replayed: true}},
		{name: "of an error, by its trailers", answer: scriptedAnswer{code: codes.NotFound, pushback: []string{"-1"}, replayed: true}},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			server := &scriptedServer{script: []scriptedAnswer{{code: codes.Unavailable}, test.answer}}
			client := paymentsv1.NewPaymentServiceClient(server.start(t, payonce.DialOptions()...))

			var report payonce.Report
			var header, trailer metadata.MD
			_, err := client.CreatePayment(t.Context(), visa, payonce.ReportTo(&report), grpc.Header(&header), grpc.Trailer(&trailer))

			checkCode(t, err, test.answer.code)
			if !report.Replayed || report.Attempts != 2 {
				t.Errorf("report = %+v, want a replay at the second attempt", report)
			}
			// The caller's own options see the last attempt too.
			if got := append(header.Get("idempotency-replayed"), trailer.Get("idempotency-replayed")...); len(got) != 1 {
				t.Errorf("idempotency-replayed = %q, want one", got)
			}
		})
	}
}

func TestServiceConfigDoesNotMultiplyAttempts(t *testing.T) {
	config, err := os.ReadFile("../service-config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options []grpc.DialOption
		want    int
	}{
		{name: "with DialOptions", options: payonce.DialOptions(payonce.WithMaxAttempts(2)), want: 2},
		{name: "unlike with native retries alone", want: 5},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			failing := make([]scriptedAnswer, 20)
			for i := range failing {
				failing[i] = scriptedAnswer{code: codes.Unavailable}
			}
			server := &scriptedServer{script: failing}
			options := append(test.options, grpc.WithDefaultServiceConfig(string(config)))
			client := paymentsv1.NewPaymentServiceClient(server.start(t, options...))

			_, err := client.CreatePayment(t.Context(), visa)

			checkCode(t, err, codes.Unavailable)
			checkAttempts(t, server, test.want)
		})
	}
}

func TestServerThatCannotBeReached(t *testing.T) {
	nobody := func(context.Context) (net.Conn, error) { return nil, errors.New("nobody listens") }
	for _, test := range []struct {
		name     string
		deadline time.Duration
		options  []grpc.CallOption
		wantCode codes.Code
		attempts int
	}{
		{name: "is waited for until the deadline", deadline: time.Minute, wantCode: codes.DeadlineExceeded, attempts: 1},
		{name: "costs attempts without a deadline", wantCode: codes.Unavailable, attempts: 10},
		{name: "costs attempts if the caller wants to fail fast", deadline: time.Hour, options: []grpc.CallOption{grpc.WaitForReady(false)}, wantCode: codes.Unavailable, attempts: 10},
	} {
		onFakeClock(t, test.name, func(t *testing.T) {
			client := paymentsv1.NewPaymentServiceClient(dial(t, nobody, payonce.DialOptions()...))
			ctx := t.Context()
			if test.deadline > 0 {
				limited, cancel := context.WithTimeout(ctx, test.deadline)
				defer cancel()
				ctx = limited
			}

			var report payonce.Report
			_, err := client.CreatePayment(ctx, visa, append(test.options, payonce.ReportTo(&report))...)

			checkCode(t, err, test.wantCode)
			if report.Attempts != test.attempts {
				t.Errorf("attempts = %d, want %d", report.Attempts, test.attempts)
			}
		})
	}
}

func TestOptionsRefuseWhatMakesNoSense(t *testing.T) {
	for name, option := range map[string]func(){
		"no attempts":                func() { payonce.WithMaxAttempts(0) },
		"a negative initial backoff": func() { payonce.WithInitialBackoff(-1) },
		"a negative maximum backoff": func() { payonce.WithMaxBackoff(-1) },
		"no key function":            func() { payonce.WithKeyFunc(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			option()
		})
	}
}
