"""What a caller learns of a call besides its answer."""

from __future__ import annotations

import contextlib
import dataclasses
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclasses.dataclass
class CallReport:
    """What has become of one call that needs a key.

    Attributes:
        key: What the call is sent with, known before the first attempt; empty if the call
            needs none. After an answer that is not definite, the same request can be sent
            under it again, at any time later.
        attempts: How many there were, the first one included; 0 if the call needs no key.
        replayed: Whether the last answer was first given to an earlier attempt or call.
    """

    key: str = ""
    attempts: int = 0
    replayed: bool = False


_current: ContextVar[CallReport | None] = ContextVar("payonce_client_report", default=None)


@contextlib.contextmanager
def reporting() -> Iterator[CallReport]:
    """Reports on the call that is started in the block, whether it succeeds or not.

    The report grows with each attempt, also after the block has ended. It follows the last
    call that was started in the block: calls that run at once each take a block of their own.
    """
    report = CallReport()
    token = _current.set(report)
    try:
        yield report
    finally:
        _current.reset(token)


def begin_report(key: str) -> CallReport:
    """Returns the report that the caller waits for, or one that nobody reads."""
    report = _current.get() or CallReport()
    report.key, report.attempts, report.replayed = key, 0, False
    return report
