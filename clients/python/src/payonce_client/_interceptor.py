"""The interceptor for channels of `grpc`."""

from __future__ import annotations

from typing import Any, Callable

import grpc

from ._call import KeyedCall, waits_for_connection
from ._key import KEY_METADATA, key_for_call
from ._options import Options
from ._retrying_call import RetryingCall


class IdempotencyInterceptor(grpc.UnaryUnaryClientInterceptor):
    """Gives every call that needs one a key, and retries without ever becoming a second call.

    In a service that declares `payonce.idempotency.v1.idempotency` on a method: for every method,
    unless it has no side effects or says `required: false`. All others are left alone. A call
    ends with the answer of its last
    attempt. One that has a deadline waits for a connection unless `wait_for_ready` is given.

    Calls by `future()` are retried in the background and can be cancelled at any time.
    """

    def __init__(self, options: Options = Options()) -> None:  # noqa: B008, it is immutable
        self._options = options

    def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Makes the attempts of one call; called by the channel."""
        metadata = tuple(client_call_details.metadata or ())
        key = key_for_call(client_call_details.method, request, metadata, self._options.make_key)
        if key is None:
            return continuation(client_call_details, request)
        if key.is_new:
            metadata += ((KEY_METADATA, key.value),)
        details = client_call_details._replace(
            metadata=metadata, wait_for_ready=waits_for_connection(client_call_details)
        )
        keyed_call = KeyedCall(self._options, key, details.timeout)

        def send() -> Any:
            return continuation(keyed_call.begin_attempt(details), request)

        call = RetryingCall(keyed_call, send)
        call.start()
        return call
