package payonce_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

// arrival is an attempt as the server saw it.
type arrival struct {
	at   time.Time
	keys []string
}

// scriptedAnswer is what the server does to one attempt. The zero value is OK.
type scriptedAnswer struct {
	code      codes.Code
	pushback  []string
	retryInfo *time.Duration
	replayed  bool
	hang      bool
}

// scriptedServer answers attempts in order, and further ones with OK.
type scriptedServer struct {
	paymentsv1.UnimplementedPaymentServiceServer
	idempotencyv1.UnimplementedInspectionServiceServer

	script []scriptedAnswer

	mutex sync.Mutex
	seen  []arrival
}

func (s *scriptedServer) CreatePayment(ctx context.Context, request *paymentsv1.CreatePaymentRequest) (*paymentsv1.CreatePaymentResponse, error) {
	if err := s.answer(ctx); err != nil {
		return nil, err
	}
	payment := &paymentsv1.Payment{PaymentMethod: request.GetPaymentMethod()}
	return &paymentsv1.CreatePaymentResponse{Payment: payment}, nil
}

func (s *scriptedServer) GetPayment(ctx context.Context, _ *paymentsv1.GetPaymentRequest) (*paymentsv1.GetPaymentResponse, error) {
	return &paymentsv1.GetPaymentResponse{}, s.answer(ctx)
}

func (s *scriptedServer) ResolveKey(ctx context.Context, _ *idempotencyv1.ResolveKeyRequest) (*idempotencyv1.ResolveKeyResponse, error) {
	return &idempotencyv1.ResolveKeyResponse{}, s.answer(ctx)
}

func (s *scriptedServer) answer(ctx context.Context) error {
	scripted := s.arrive(ctx)
	if scripted.hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	md := metadata.MD{}
	if scripted.replayed {
		md.Set("idempotency-replayed", "true")
	}
	if scripted.code == codes.OK {
		return grpc.SetHeader(ctx, md)
	}
	md.Append("grpc-retry-pushback-ms", scripted.pushback...)
	if err := grpc.SetTrailer(ctx, md); err != nil {
		return err
	}
	answer := status.New(scripted.code, "scripted")
	if scripted.retryInfo != nil {
		detailed, err := answer.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(*scripted.retryInfo)})
		if err != nil {
			return err
		}
		answer = detailed
	}
	return answer.Err()
}

func (s *scriptedServer) arrive(ctx context.Context) scriptedAnswer {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	s.seen = append(s.seen, arrival{at: time.Now(), keys: md.Get("idempotency-key")})
	if len(s.seen) > len(s.script) {
		return scriptedAnswer{}
	}
	return s.script[len(s.seen)-1]
}

func (s *scriptedServer) arrivals() []arrival {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]arrival(nil), s.seen...)
}

// start serves on a network in memory, and returns a connection to it.
func (s *scriptedServer) start(t *testing.T, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	paymentsv1.RegisterPaymentServiceServer(server, s)
	idempotencyv1.RegisterInspectionServiceServer(server, s)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(server.Stop)
	return dial(t, func(ctx context.Context) (net.Conn, error) { return listener.DialContext(ctx) }, opts...)
}

func dial(t *testing.T, to func(context.Context) (net.Conn, error), opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append(opts,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return to(ctx) }))
	conn, err := grpc.NewClient("passthrough:///in-memory", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// onFakeClock runs the test with a clock that moves when all are waiting.
func onFakeClock(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

var visa = &paymentsv1.CreatePaymentRequest{
	Amount:        &paymentsv1.Money{CurrencyCode: "EUR", MinorUnits: 1999},
	PaymentMethod: "tok_visa",
}

func checkCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Fatalf("code = %v, want %v (%v)", got, want, err)
	}
}

func checkAttempts(t *testing.T, server *scriptedServer, want int) {
	t.Helper()
	if got := len(server.arrivals()); got != want {
		t.Fatalf("the server saw %d attempts, want %d", got, want)
	}
}
