"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from ._options import Options

# How a server names a delay, or -1 (gRFC A6).
_PUSHBACK_TRAILER: Final = "grpc-retry-pushback-ms"
_STATUS_DETAILS_TRAILER: Final = "grpc-status-details-bin"

# CANCELLED is a connection that broke: a caller who cancels is never asked about a retry.
_RETRYABLE_CODES: Final = frozenset(
    {grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
)

# What a pushback can say: 32 bits of milliseconds. RetryInfo could name more than a timer takes.
_LONGEST_SERVER_DELAY: Final = (2**31 - 1) / 1000

# So many doublings bring any backoff to its maximum, and overflow nothing.
_MOST_DOUBLINGS: Final = 64

# Metadata of grpc or grpc.aio: names and values.
Trailers = Any


class FinalAnswerError(Exception):
    """The server asks not to be asked again."""


def wait_before_retry(
    options: Options, code: grpc.StatusCode, trailers: Trailers, retries: int
) -> float | None:
    """Returns how long to wait before the next attempt, in seconds.

    Args:
        options: The bounds of a wait.
        code: How the last attempt ended, other than OK.
        trailers: What came with it.
        retries: How many there have been so far.

    Returns:
        `None` if the answer is final.
    """
    try:
        delay = server_delay(trailers)
    except FinalAnswerError:
        return None
    if delay is not None:
        # Callers who were told the same must not come back together.
        return delay + random.uniform(0, options.initial_backoff)
    if code in _RETRYABLE_CODES:
        return random.uniform(0, longest_backoff(options, retries))
    return None


def longest_backoff(options: Options, retries: int) -> float:
    """Returns the initial backoff, doubled with each retry so far, in seconds."""
    return min(options.initial_backoff * 2.0 ** min(retries, _MOST_DOUBLINGS), options.max_backoff)


def server_delay(trailers: Trailers) -> float | None:
    """Returns the delay that the server names, in seconds; `None` if it names none.

    Raises:
        FinalAnswerError: If there must be no retry.
    """
    details = b""
    for name, value in trailers or ():
        if name == _PUSHBACK_TRAILER:
            return _parse_pushback(value)
        if name == _STATUS_DETAILS_TRAILER:
            details = value
    return _retry_info_delay(details)


def _parse_pushback(value: str) -> float:
    # What cannot be understood means what -1 means (gRFC A6).
    if not (value.isascii() and value.isdigit()):
        raise FinalAnswerError
    return min(int(value) / 1000, _LONGEST_SERVER_DELAY)


def _retry_info_delay(details: bytes) -> float | None:
    try:
        status = status_pb2.Status.FromString(details)
        for detail in status.details:
            info = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                delay: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
                return min(max(delay, 0.0), _LONGEST_SERVER_DELAY)
    except DecodeError:
        pass  # of no use to a retry, and the caller sees the answer as it came
    return None
