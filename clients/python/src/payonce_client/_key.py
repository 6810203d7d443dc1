"""Which calls need a key, and where it comes from."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from payonce.idempotency.v1 import options_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._options import KeyFunction

    MetadataEntries = Iterable[tuple[str, Union[str, bytes]]]

KEY_METADATA: Final = "idempotency-key"
"""The metadata that carries a call's key: 1 to 255 characters, each 0x21 to 0x7E."""

# The request's field that may carry the key, unless the method's policy names another.
_DEFAULT_KEY_FIELD: Final = "idempotency_key"


class CallKey(NamedTuple):
    """The key of one call."""

    value: str
    is_new: bool
    """Whether the call does not carry it yet."""


def new_key(_method: str = "", _request: Any = None) -> str:
    """Returns a fresh key, a random UUID (version 4)."""
    return str(uuid.uuid4())


def key_for_call(
    method: str,
    request: Any,
    metadata: MetadataEntries | None,
    make_key: KeyFunction,
) -> CallKey | None:
    """Returns the key that the call carries or else a new one; `None` if it needs none."""
    descriptor = _find_method(method)
    if descriptor is None or not _requires_key(descriptor):
        return None
    policy = _policy_of(descriptor)
    given = _key_in_metadata(metadata) or _key_in_request(descriptor, policy, request)
    if given is not None:
        return CallKey(given, is_new=False)
    return CallKey(make_key(method, request), is_new=True)


def _find_method(method: str) -> MethodDescriptor | None:
    """Finds what the generated code says of a method such as `/acme.v1.Orders/PlaceOrder`."""
    try:
        return descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
    except KeyError:
        return None


def _requires_key(method: MethodDescriptor) -> bool:
    """Whether a call of the method needs a key, by the rule of the servers.

    Every method of a protected service does, also without the option, unless it has no side
    effects or says `required: false`. A service that declares no policy is left alone, as
    nothing says that its server executes a repeated call once.
    """
    if not any(map(_declares_policy, method.containing_service.methods)):
        return False
    no_side_effects = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    if method.GetOptions().idempotency_level == no_side_effects:
        return False
    policy = _policy_of(method)
    return policy.required or not policy.HasField("required")


def _declares_policy(method: MethodDescriptor) -> bool:
    declares: bool = method.GetOptions().HasExtension(options_pb2.idempotency)
    return declares


def _policy_of(method: MethodDescriptor) -> options_pb2.IdempotencyPolicy:
    policy: options_pb2.IdempotencyPolicy = method.GetOptions().Extensions[options_pb2.idempotency]
    return policy


def _key_in_metadata(metadata: MetadataEntries | None) -> str | None:
    for name, value in metadata or ():
        if name == KEY_METADATA:
            return value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return None


def _key_in_request(
    method: MethodDescriptor, policy: options_pb2.IdempotencyPolicy, request: Any
) -> str | None:
    name = policy.key_field or _DEFAULT_KEY_FIELD
    field = method.input_type.fields_by_name.get(name)
    if field is None or field.type != FieldDescriptor.TYPE_STRING:
        return None
    return getattr(request, name) or None
