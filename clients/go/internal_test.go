package payonce

import (
	"math"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb" // registers its file

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

func TestEveryMethodOfAProtectedServiceNeedsAKeyUnlessItSaysOtherwise(t *testing.T) {
	declare := func(name string, change func(*descriptorpb.MethodOptions)) *descriptorpb.MethodDescriptorProto {
		options := &descriptorpb.MethodOptions{}
		change(options)
		empty := proto.String(".google.protobuf.Empty")
		return &descriptorpb.MethodDescriptorProto{Name: &name, InputType: empty, OutputType: empty, Options: options}
	}
	policy := func(policy *idempotencyv1.IdempotencyPolicy) func(*descriptorpb.MethodOptions) {
		return func(options *descriptorpb.MethodOptions) {
			proto.SetExtension(options, idempotencyv1.E_Idempotency, policy)
		}
	}
	reads := func(options *descriptorpb.MethodOptions) {
		options.IdempotencyLevel = descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()
	}
	plain := func(*descriptorpb.MethodOptions) {}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       proto.String("test/rule/v1/rule.proto"),
		Package:    proto.String("test.rule.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "payonce/idempotency/v1/options.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{
			{Name: proto.String("Orders"), Method: []*descriptorpb.MethodDescriptorProto{
				declare("Place", policy(&idempotencyv1.IdempotencyPolicy{})),
				declare("Change", plain),
				declare("Note", policy(&idempotencyv1.IdempotencyPolicy{Required: proto.Bool(false)})),
				declare("Find", reads),
			}},
			{Name: proto.String("Reports"), Method: []*descriptorpb.MethodDescriptorProto{declare("Run", plain)}},
		},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]bool{
		"Orders/Place": true, "Orders/Change": true, "Orders/Note": false, "Orders/Find": false, "Reports/Run": false,
	} {
		if got := policyOf("/test.rule.v1."+method) != nil; got != want {
			t.Errorf("%s needs a key: %v, want %v", method, got, want)
		}
	}
}
