"""Calls on channels of grpc."""

import sys
import threading
from typing import Any

import grpc
from call import Call, Ending, read_call, write_answer

from payonce.payments.v1 import payments_pb2_grpc
from payonce_client import IdempotencyInterceptor, reporting

_channels: dict[str, grpc.Channel] = {}


def run() -> None:
    threads = []
    for line in sys.stdin:
        call = read_call(line)
        threads.append(threading.Thread(target=_make, args=(call, _channel(call))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for channel in _channels.values():
        channel.close()


def _make(call: Call, channel: grpc.Channel) -> None:
    intercepted = grpc.intercept_channel(channel, IdempotencyInterceptor(call.options))
    method = getattr(payments_pb2_grpc.PaymentServiceStub(intercepted), call.method)
    with reporting() as report:
        ending = _end(call, method)
    write_answer(call, ending, report)


def _end(call: Call, method: Any) -> Ending:
    if call.cancel_after is not None:
        # Only a future can be cancelled.
        future = method.future(call.request, timeout=call.timeout, metadata=call.metadata)
        threading.Timer(call.cancel_after, future.cancel).start()
        code = future.code()
        response = future.result() if code is grpc.StatusCode.OK else None
        return Ending(code, future.trailing_metadata(), response)
    try:
        response, made = method.with_call(
            call.request, timeout=call.timeout, metadata=call.metadata
        )
    except grpc.RpcError as error:
        return Ending(error.code(), error.trailing_metadata())
    return Ending(made.code(), made.trailing_metadata(), response)


def _channel(call: Call) -> grpc.Channel:
    if call.target not in _channels:
        _channels[call.target] = grpc.insecure_channel(call.target, options=call.channel_options)
    return _channels[call.target]
