package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	payonce "payonce.dev/client"
	paymentsv1 "payonce.dev/client/gen/payonce/payments/v1"
)

// call is one line of the input.
type call struct {
	ID            string
	Target        string
	Method        string
	Request       json.RawMessage
	RequestBytes  []byte
	Key           *string
	DeadlineMs    int64
	CancelAfterMs *int64
	ServiceConfig *string
	Options       struct {
		MaxAttempts      *int
		InitialBackoffMs *int64
		MaxBackoffMs     *int64
	}
}

// answer is one line of the output.
type answer struct {
	ID       string `json:"id"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
	Key      string `json:"key"`
	Attempts int    `json:"attempts"`
	Replayed bool   `json:"replayed"`
	Response string `json:"response"` // Base64
}

var service = paymentsv1.File_payonce_payments_v1_payments_proto.Services().ByName("PaymentService")

// newRequest returns the request of a call, and fails for a method that the
// service does not have.
func newRequest(line call) (proto.Message, error) {
	method := service.Methods().ByName(protoreflect.Name(line.Method))
	if method == nil {
		return nil, fmt.Errorf("%s has no method %q", service.FullName(), line.Method)
	}
	request, err := newMessage(method.Input())
	if err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(line.Request, request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(line.RequestBytes, request); err != nil {
		return nil, fmt.Errorf("requestBytes: %w", err)
	}
	return request, nil
}

func newMessage(descriptor protoreflect.MessageDescriptor) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.FullName())
	if err != nil {
		return nil, err
	}
	return kind.New().Interface(), nil
}

func makeCall(conn *grpc.ClientConn, line call, request proto.Message) answer {
	ctx, cancel := context.WithTimeout(context.Background(), milliseconds(line.DeadlineMs))
	defer cancel()
	if line.CancelAfterMs != nil {
		defer time.AfterFunc(milliseconds(*line.CancelAfterMs), cancel).Stop()
	}
	if line.Key != nil {
		ctx = payonce.WithKey(ctx, *line.Key)
	}

	var report payonce.Report
	response, err := invoke(ctx, conn, line, request, payonce.ReportTo(&report))
	return answer{
		ID:       line.ID,
		Code:     code.Code(status.Code(err)).String(),
		Reason:   reasonOf(err),
		Key:      report.Key,
		Attempts: report.Attempts,
		Replayed: report.Replayed,
		Response: base64.StdEncoding.EncodeToString(response),
	}
}

// invoke returns the response's bytes.
func invoke(ctx context.Context, conn *grpc.ClientConn, line call, request proto.Message, opts ...grpc.CallOption) ([]byte, error) {
	method := service.Methods().ByName(protoreflect.Name(line.Method))
	response, err := newMessage(method.Output())
	if err != nil {
		return nil, err
	}
	fullMethod := fmt.Sprintf("/%s/%s", service.FullName(), line.Method)
	interceptor := payonce.UnaryClientInterceptor(optionsOf(line)...)
	if err := interceptor(ctx, fullMethod, request, response, conn, invokeOnce, opts...); err != nil {
		return nil, err
	}
	return proto.Marshal(response)
}

func invokeOnce(ctx context.Context, method string, request, response any, conn *grpc.ClientConn, opts ...grpc.CallOption) error {
	return conn.Invoke(ctx, method, request, response, opts...)
}

func optionsOf(line call) []payonce.Option {
	var options []payonce.Option
	if attempts := line.Options.MaxAttempts; attempts != nil {
		options = append(options, payonce.WithMaxAttempts(*attempts))
	}
	if backoff := line.Options.InitialBackoffMs; backoff != nil {
		options = append(options, payonce.WithInitialBackoff(milliseconds(*backoff)))
	}
	if backoff := line.Options.MaxBackoffMs; backoff != nil {
		options = append(options, payonce.WithMaxBackoff(milliseconds(*backoff)))
	}
	return options
}

func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func milliseconds(count int64) time.Duration {
	return time.Duration(count) * time.Millisecond
}
