"""Calls on channels of grpc.aio."""

import asyncio
import sys
from typing import Any

import grpc
from call import Call, Ending, read_call, write_answer

from payonce.payments.v1 import payments_pb2_grpc
from payonce_client import Options, reporting
from payonce_client.aio import IdempotencyInterceptor

# Interceptors are the channel's, so each choice of options has one of its own; grpc lets all
# channels to one target share a connection.
_channels: dict[tuple[str, Options], Any] = {}


async def run() -> None:
    calls = set()
    # In a thread: reading must not hold up the calls.
    while line := await asyncio.to_thread(sys.stdin.readline):
        calls.add(asyncio.create_task(_make(read_call(line))))
    await asyncio.gather(*calls)
    for channel in _channels.values():
        await channel.close()


async def _make(call: Call) -> None:
    stub = payments_pb2_grpc.PaymentServiceStub(_channel(call))
    with reporting() as report:
        running = getattr(stub, call.method)(
            call.request, timeout=call.timeout, metadata=call.metadata
        )
    if call.cancel_after is not None:
        asyncio.get_running_loop().call_later(call.cancel_after, running.cancel)
    code = await running.code()
    response = await running if code is grpc.StatusCode.OK else None
    write_answer(call, Ending(code, await running.trailing_metadata(), response), report)


def _channel(call: Call) -> Any:
    name = (call.target, call.options)
    if name not in _channels:
        _channels[name] = grpc.aio.insecure_channel(
            call.target,
            options=call.channel_options,
            interceptors=[IdempotencyInterceptor(call.options)],
        )
    return _channels[name]
