"""What a channel should be made with."""

from typing import Final

from ._options import Options

CHANNEL_OPTIONS: Final = (
    # The interceptor retries; both at once would multiply the attempts.
    ("grpc.enable_retries", 0),
    # As patient as the interceptor. By default a channel waits up to two minutes before it
    # looks again for a server that was away.
    ("grpc.initial_reconnect_backoff_ms", round(Options.initial_backoff * 1000)),
    ("grpc.max_reconnect_backoff_ms", round(Options.max_backoff * 1000)),
)
"""Options for `grpc.insecure_channel`, `grpc.secure_channel` and those of `grpc.aio`."""
