"""The interceptor for channels of `grpc.aio`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable

import grpc.aio

from ._call import KeyedCall, waits_for_connection
from ._key import KEY_METADATA, key_for_call
from ._options import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["IdempotencyInterceptor"]


class IdempotencyInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives every call that needs one a key, and retries without ever becoming a second call.

    In a service that declares `payonce.idempotency.v1.idempotency` on a method: for every method,
    unless it has no side effects or says `required: false`. All others are left alone. A call
    ends with the answer of its last
    attempt. One that has a deadline waits for a connection unless `wait_for_ready` is given.
    """

    def __init__(self, options: Options = Options()) -> None:  # noqa: B008, it is immutable
        self._options = options

    async def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Makes the attempts of one call; called by the channel."""
        metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()))
        key = key_for_call(
            client_call_details.method.decode(), request, metadata, self._options.make_key
        )
        if key is None:
            return await continuation(client_call_details, request)
        if key.is_new:
            metadata.add(KEY_METADATA, key.value)
        details = client_call_details._replace(
            metadata=metadata, wait_for_ready=waits_for_connection(client_call_details)
        )
        keyed_call = KeyedCall(self._options, key, details.timeout)
        while True:
            # A caller who cancels ends whichever of these is awaited.
            try:
                attempt = await continuation(keyed_call.begin_attempt(details), request)
                await attempt
            except grpc.aio.AioRpcError as error:
                trailers = error.trailing_metadata()
                keyed_call.end_attempt(trailers)
                wait = keyed_call.wait_before_retry(error.code(), trailers)
                if wait is None:
                    raise
            else:
                keyed_call.end_attempt(await attempt.initial_metadata())
                return attempt
            await asyncio.sleep(wait)
