"""A server that does as it is told, and the three ways to call it."""

import asyncio
import contextlib
import threading
import time
from concurrent import futures

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

import payonce_client.aio
from payonce.payments.v1 import payments_pb2, payments_pb2_grpc
from payonce_client import CHANNEL_OPTIONS, IdempotencyInterceptor

# No test waits so long; one that hangs fails.
TIMEOUT = 20

REQUEST = payments_pb2.CreatePaymentRequest(payment_method="tok_visa")


def retry_info(delay):
    """Status details that name a delay in seconds."""
    detail = AnyMessage()
    nanoseconds = round(delay * 1e9)
    duration = Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
    detail.Pack(error_details_pb2.RetryInfo(retry_delay=duration))
    return status_pb2.Status(details=[detail]).SerializeToString()


def fail(code, *trailers):
    """An attempt that ends with an error."""

    def attempt(context):
        context.set_trailing_metadata(trailers)
        context.abort(code, "scripted")

    return attempt


def succeed(*headers):
    """An attempt that ends with a payment."""

    def attempt(context):
        context.send_initial_metadata(headers)
        return payments_pb2.CreatePaymentResponse(payment=payments_pb2.Payment(id="pay_1"))

    return attempt


def hang(context):
    """An attempt that the caller has to end."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(TIMEOUT)


class ScriptedService(payments_pb2_grpc.PaymentServiceServicer):
    """Answers attempts from a script, and writes down what arrives."""

    def __init__(self, script):
        self._script = iter(script)
        self.keys = []
        self.times = []
        self.arrived = threading.Event()
        self.ended = threading.Event()

    def CreatePayment(self, _request, context):  # noqa: N802, as generated
        self.times.append(time.monotonic())
        self.keys.append([v for k, v in context.invocation_metadata() if k == "idempotency-key"])
        context.add_callback(self.ended.set)
        self.arrived.set()
        return next(self._script)(context)

    def GetPayment(self, _request, context):  # noqa: N802, as generated
        self.keys.append([v for k, v in context.invocation_metadata() if k == "idempotency-key"])
        return next(self._script)(context)


@contextlib.contextmanager
def serving(*script):
    """Serves a script on a port of its own."""
    service = ScriptedService(script)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    payments_pb2_grpc.add_PaymentServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    service.target = f"127.0.0.1:{port}"
    try:
        yield service
    finally:
        server.stop(None).wait()


def call_blocking(target, options, request=REQUEST, **arguments):
    """Returns the response of a blocking call, or raises its error."""
    with sync_method(target, options) as method:
        return method(request, timeout=TIMEOUT, **arguments)


def call_future(target, options, request=REQUEST, **arguments):
    """Returns the response of a future, or raises its error."""
    with sync_method(target, options) as method:
        return method.future(request, timeout=TIMEOUT, **arguments).result()


def call_aio(target, options, request=REQUEST, **arguments):
    """Returns the response of an awaited call, or raises its error."""

    async def call():
        async with aio_method(target, options) as method:
            return await method(request, timeout=TIMEOUT, **arguments)

    return asyncio.run(call())


@contextlib.contextmanager
def sync_method(target, options, *inner_interceptors):
    """CreatePayment on a channel of grpc."""
    with grpc.insecure_channel(target, CHANNEL_OPTIONS) as channel:
        interceptors = [IdempotencyInterceptor(options), *inner_interceptors]
        intercepted = grpc.intercept_channel(channel, *interceptors)
        yield payments_pb2_grpc.PaymentServiceStub(intercepted).CreatePayment


@contextlib.asynccontextmanager
async def aio_method(target, options, *inner_interceptors):
    """CreatePayment on a channel of grpc.aio."""
    interceptors = [payonce_client.aio.IdempotencyInterceptor(options), *inner_interceptors]
    async with grpc.aio.insecure_channel(
        target, options=CHANNEL_OPTIONS, interceptors=interceptors
    ) as channel:
        yield payments_pb2_grpc.PaymentServiceStub(channel).CreatePayment
