package payonce

import (
	"context"
	"crypto/rand"
	"fmt"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	idempotencyv1 "payonce.dev/client/gen/payonce/idempotency/v1"
)

const (
	keyMetadata     = "idempotency-key"
	defaultKeyField = "idempotency_key"
)

// NewKey returns a key that no other call has: a random UUID, version 4.
func NewKey() string {
	var id [16]byte
	rand.Read(id[:])          // never fails, by its documentation
	id[6] = id[6]&0x0f | 0x40 // the version, RFC 9562 section 5.4
	id[8] = id[8]&0x3f | 0x80 // the variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// WithKey returns a context for one call under the given key: 1 to 255
// characters, each 0x21 to 0x7E. It replaces a key that the context has. The
// server refuses a malformed one, and one that another request was sent with.
func WithKey(ctx context.Context, key string) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx) // a copy
	if !ok {
		md = metadata.MD{}
	}
	md.Set(keyMetadata, key)
	return metadata.NewOutgoingContext(ctx, md)
}

// callToKey is a call whose method needs a key.
type callToKey struct {
	method  string
	request any
	policy  *idempotencyv1.IdempotencyPolicy
}

// ensureKey returns the call's key, with a context that carries it unless the
// request does.
func (s *settings) ensureKey(ctx context.Context, call callToKey) (context.Context, string, error) {
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		if given := md.Get(keyMetadata); len(given) > 0 {
			return ctx, given[0], nil
		}
	}
	if key := keyInField(call.request, call.policy); key != "" {
		return ctx, key, nil
	}
	key, err := s.keyFunc(ctx, call.method, call.request)
	if err != nil {
		return ctx, "", fmt.Errorf("payonce: the key function failed for %s: %w", call.method, err)
	}
	if key == "" {
		return ctx, "", fmt.Errorf("payonce: the key function returned an empty key for %s", call.method)
	}
	return WithKey(ctx, key), key, nil
}

// keyInField returns what the request's key field holds, empty if it has none.
func keyInField(request any, policy *idempotencyv1.IdempotencyPolicy) string {
	message, ok := request.(proto.Message)
	if !ok {
		return ""
	}
	name := protoreflect.Name(policy.GetKeyField())
	if name == "" {
		name = defaultKeyField
	}
	reflected := message.ProtoReflect()
	field := reflected.Descriptor().Fields().ByName(name)
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return ""
	}
	return reflected.Get(field).String()
}
