"""A call of `grpc` that is made of several attempts."""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, Callable

import grpc

if TYPE_CHECKING:
    from ._call import KeyedCall


class RetryingCall(grpc.Call, grpc.Future):
    """What the caller holds while attempts come and go; ends with the last one.

    No thread waits for an answer here: each attempt says when it has ended, and a timer
    starts the next. A blocking call is the same, but for attempts that have always ended by
    the time they are known; its caller waits for the result.
    """

    def __init__(self, keyed_call: KeyedCall, send: Callable[[], Any]) -> None:
        self._keyed_call = keyed_call
        self._send = send
        # Inner interceptors see the caller's context variables in every attempt.
        self._context = contextvars.copy_context()
        self._last_attempt: Any = None
        self._timer: threading.Timer | None = None
        # Settled once: with the last attempt, by a cancellation, or by what a send raised.
        # This decides all races. Whoever starts something looks at it afterwards; whoever
        # cancels settles it first, and then ends what was started.
        self._outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def start(self) -> None:
        """Makes the first attempt. Raises what sending it raises."""
        self._watch(self._send())

    def _retry(self) -> None:
        if self._outcome.cancelled():
            return
        try:
            attempt = self._send()
        except Exception as error:  # such as a channel that was closed meanwhile
            if self._outcome.set_running_or_notify_cancel():
                self._outcome.set_exception(error)
            return
        self._watch(attempt)

    def _watch(self, attempt: Any) -> None:
        self._last_attempt = attempt
        if self._outcome.cancelled():
            attempt.cancel()
        else:
            attempt.add_done_callback(self._end_attempt)

    def _end_attempt(self, attempt: Any) -> None:
        if self._outcome.cancelled():
            return
        code = attempt.code()
        if code is grpc.StatusCode.OK:
            self._keyed_call.end_attempt(attempt.initial_metadata())
            wait = None
        else:
            trailers = attempt.trailing_metadata()
            self._keyed_call.end_attempt(trailers)
            wait = self._keyed_call.wait_before_retry(code, trailers)
        if wait is None:
            if self._outcome.set_running_or_notify_cancel():
                self._outcome.set_result(attempt)
            return
        self._timer = threading.Timer(wait, self._context.copy().run, [self._retry])
        self._timer.daemon = True
        self._timer.start()
        if self._outcome.cancelled():
            self._timer.cancel()

    def cancel(self) -> bool:
        """Ends the attempt under way, or the wait between two."""
        if not self._outcome.cancel():
            return False
        if self._timer is not None:
            self._timer.cancel()
        if self._last_attempt is not None:
            self._last_attempt.cancel()
        return True

    def cancelled(self) -> bool:
        """See grpc.Future."""
        return self._outcome.cancelled()

    def running(self) -> bool:
        """See grpc.Future."""
        return not self._outcome.done()

    def done(self) -> bool:
        """See grpc.Future."""
        return self._outcome.done()

    def result(self, timeout: float | None = None) -> Any:
        """See grpc.Future."""
        try:
            return self._end(timeout).result()
        except KeyboardInterrupt:
            self.cancel()  # the caller has given up
            raise

    def exception(self, timeout: float | None = None) -> Any:
        """See grpc.Future."""
        return self._end(timeout).exception()

    def traceback(self, timeout: float | None = None) -> Any:
        """See grpc.Future."""
        return self._end(timeout).traceback()

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """See grpc.Future."""
        self._outcome.add_done_callback(lambda _: fn(self))

    def is_active(self) -> bool:
        """See grpc.RpcContext."""
        return not self._outcome.done()

    def time_remaining(self) -> float | None:
        """See grpc.RpcContext."""
        return self._keyed_call.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """See grpc.RpcContext."""
        if self._outcome.done():
            return False
        self._outcome.add_done_callback(lambda _: callback())
        return True

    def initial_metadata(self) -> Any:
        """See grpc.Call."""
        return self._answer().initial_metadata()

    def trailing_metadata(self) -> Any:
        """See grpc.Call."""
        return self._answer().trailing_metadata()

    def code(self) -> grpc.StatusCode:
        """See grpc.Call."""
        answer = self._answer()
        return grpc.StatusCode.CANCELLED if self._outcome.cancelled() else answer.code()

    def details(self) -> Any:
        """See grpc.Call."""
        answer = self._answer()
        return "Cancelled by the caller" if self._outcome.cancelled() else answer.details()

    def _end(self, timeout: float | None) -> Any:
        """Waits for the last attempt, as a future does."""
        try:
            return self._outcome.result(timeout)
        except concurrent.futures.CancelledError:
            raise grpc.FutureCancelledError from None
        except concurrent.futures.TimeoutError:
            raise grpc.FutureTimeoutError from None

    def _answer(self) -> Any:
        """Waits for the last attempt, also if it was cancelled."""
        with contextlib.suppress(concurrent.futures.CancelledError):
            self._outcome.exception()
        return self._last_attempt
