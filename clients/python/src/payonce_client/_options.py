"""What a user can choose."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from ._key import new_key

KeyFunction = Callable[[str, Any], str]
"""Makes the key of a call, from the full method name and the request."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the interceptors do; the defaults are the same in every language.

    Attributes:
        max_attempts: How many attempts a call may have, the first one included.
        initial_backoff: How long the first retry waits at most when the server names no
            delay, and how much is added at most, at random, when it does. Seconds.
        max_backoff: How long any retry waits at most when the server names no delay. Seconds.
        make_key: Asked once for each call that needs a key and carries none, before the
            first attempt. A business key for instance, which the same intent always has,
            also after a restart of the caller. What it raises ends the call.

    Raises:
        ValueError: If a number is out of range.
    """

    max_attempts: int = 10
    initial_backoff: float = 0.1
    max_backoff: float = 5.0
    make_key: KeyFunction = new_key

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {self.max_attempts}")
        for name in ("initial_backoff", "max_backoff"):
            seconds = getattr(self, name)
            # Written so that NaN is refused too.
            if not 0 <= seconds < float("inf"):
                raise ValueError(f"{name} must be 0 s or more, not {seconds}")
