"""Calls that happen exactly once: a key for each call, and retries under it.

`IdempotencyInterceptor` is for channels of `grpc`; `payonce_client.aio` has the one for
channels of `grpc.aio`. The stubs of the service are in `payonce.payments.v1`.
"""

from ._channel import CHANNEL_OPTIONS
from ._interceptor import IdempotencyInterceptor
from ._key import KEY_METADATA, new_key
from ._options import KeyFunction, Options
from ._report import CallReport, reporting

__all__ = [
    "CHANNEL_OPTIONS",
    "KEY_METADATA",
    "CallReport",
    "IdempotencyInterceptor",
    "KeyFunction",
    "Options",
    "new_key",
    "reporting",
]
