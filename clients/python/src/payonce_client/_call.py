"""One call with a key, through all of its attempts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from ._report import begin_report
from ._retry import wait_before_retry

if TYPE_CHECKING:
    import grpc

    from ._key import CallKey
    from ._options import Options

# In the headers of an OK, in the trailers of an error.
_REPLAYED_METADATA: Final = "idempotency-replayed"


class KeyedCall:
    """What both interceptors keep of a call: its options, deadline and report."""

    def __init__(self, options: Options, key: CallKey, timeout: float | None) -> None:
        self._options = options
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._report = begin_report(key.value)

    def time_remaining(self) -> float | None:
        """Returns the seconds until the deadline, or `None` if the call has none."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def begin_attempt(self, details: Any) -> Any:
        """Counts an attempt, and returns the call details to send it with."""
        self._report.attempts += 1
        return details._replace(timeout=self.time_remaining())

    def end_attempt(self, answer_metadata: Any) -> None:
        """Notes whether the answer is a replay, from its headers or trailers."""
        entries = tuple(answer_metadata or ())
        self._report.replayed = (_REPLAYED_METADATA, "true") in entries

    def wait_before_retry(self, code: grpc.StatusCode, trailers: Any) -> float | None:
        """Returns how long to wait after a failed attempt, in seconds, or `None` to stop."""
        attempts = self._report.attempts
        if attempts >= self._options.max_attempts:
            return None
        wait = wait_before_retry(self._options, code, trailers, retries=attempts - 1)
        remaining = self.time_remaining()
        if wait is None or (remaining is not None and wait >= remaining):
            return None
        return wait


def waits_for_connection(details: Any) -> bool:
    """Returns whether an attempt waits for a connection or fails without one.

    The caller's word counts. Else it waits, and spends no attempts on a server that restarts;
    but without a deadline it could wait forever.
    """
    if details.wait_for_ready is not None:
        return bool(details.wait_for_ready)
    return details.timeout is not None
