package payonce

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
)

// policyOf returns what the method, such as /acme.v1.Orders/PlaceOrder,
// declares about its keys, or nil if it does not require one. The stubs that
// are linked into the program say so.
func policyOf(method string) *idempotencyv1.IdempotencyPolicy {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if !ok || !proto.HasExtension(descriptor.Options(), idempotencyv1.E_Idempotency) {
		return nil
	}
	// The extension's type is fixed by its generated code.
	policy := proto.GetExtension(descriptor.Options(), idempotencyv1.E_Idempotency).(*idempotencyv1.IdempotencyPolicy)
	if policy.Required != nil && !policy.GetRequired() {
		return nil
	}
	return policy
}
