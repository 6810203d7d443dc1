package payonce

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
)

// policyOf returns what the method, such as /acme.v1.Orders/PlaceOrder,
// declares about its keys, or nil if it does not require one. The stubs that
// are linked into the program say so. The rule is the server's: every method of
// a protected service requires a key, also without the option, unless it has no
// side effects or says {required: false}. A service that declares no policy is
// left alone, as nothing says that its server executes a repeated call once.
func policyOf(method string) *idempotencyv1.IdempotencyPolicy {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if !ok || !isProtected(descriptor.Parent().(protoreflect.ServiceDescriptor)) {
		return nil
	}
	options := descriptor.Options().(*descriptorpb.MethodOptions)
	if options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		return nil
	}
	// The extension's type is fixed by its generated code.
	policy := proto.GetExtension(options, idempotencyv1.E_Idempotency).(*idempotencyv1.IdempotencyPolicy)
	if policy != nil && policy.Required != nil && !policy.GetRequired() {
		return nil
	}
	if policy == nil {
		return &idempotencyv1.IdempotencyPolicy{}
	}
	return policy
}

// isProtected tells whether a method of the service declares a policy.
func isProtected(service protoreflect.ServiceDescriptor) bool {
	methods := service.Methods()
	for i := range methods.Len() {
		if proto.HasExtension(methods.Get(i).Options(), idempotencyv1.E_Idempotency) {
			return true
		}
	}
	return false
}
