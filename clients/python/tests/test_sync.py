"""What only a caller on grpc sees."""

import contextvars
import threading

import grpc
import pytest
from support import REQUEST, TIMEOUT, fail, hang, serving, succeed, sync_method

from payonce.payments.v1 import payments_pb2, payments_pb2_grpc
from payonce_client import IdempotencyInterceptor, Options, reporting

QUICK = Options(initial_backoff=0.01)
IN_A_MINUTE = ("grpc-retry-pushback-ms", "60000")


def test_a_future_that_is_cancelled_ends_its_attempt():
    with serving(hang) as service, sync_method(service.target, QUICK) as method:
        with reporting() as report:
            future = method.future(REQUEST)
        assert service.arrived.wait(TIMEOUT)
        assert future.cancel()
        assert service.ended.wait(TIMEOUT)
        with pytest.raises(grpc.FutureCancelledError):
            future.result()
        assert future.code() is grpc.StatusCode.CANCELLED
        assert future.cancelled()
        assert future.done()
    assert len(service.keys) == report.attempts == 1


def test_a_future_that_is_cancelled_ends_its_wait():
    answer = fail(grpc.StatusCode.ABORTED, IN_A_MINUTE)
    with serving(answer) as service, sync_method(service.target, QUICK) as method:
        future = method.future(REQUEST)
        assert service.ended.wait(TIMEOUT)
        with pytest.raises(grpc.FutureTimeoutError):
            future.result(timeout=0.2)
        assert future.running()
        assert future.cancel()
        assert future.code() is grpc.StatusCode.CANCELLED
        assert not [thread for thread in threading.enumerate() if _is_waiting_timer(thread)]


def _is_waiting_timer(thread):
    return isinstance(thread, threading.Timer) and not thread.finished.is_set()


def test_a_future_calls_back_once_with_the_last_answer():
    ended = threading.Event()
    seen = []

    def callback(future):
        seen.append(future.result())
        ended.set()

    with serving(fail(grpc.StatusCode.ABORTED), succeed()) as service:
        with sync_method(service.target, QUICK) as method:
            method.future(REQUEST).add_done_callback(callback)
            assert ended.wait(TIMEOUT)
    assert [response.payment.id for response in seen] == ["pay_1"]


def test_a_future_whose_channel_closes_meanwhile_ends():
    with serving(fail(grpc.StatusCode.ABORTED, ("grpc-retry-pushback-ms", "300"))) as service:
        with sync_method(service.target, QUICK) as method:
            future = method.future(REQUEST)
            assert service.ended.wait(TIMEOUT)
        with pytest.raises(ValueError, match=r"(?i)channel.*closed|closed.*channel"):
            future.result(TIMEOUT)


def test_with_call_returns_the_call_of_the_last_answer():
    with serving(fail(grpc.StatusCode.ABORTED), succeed(("from", "server"))) as service:
        with sync_method(service.target, QUICK) as method:
            response, call = method.with_call(REQUEST, timeout=TIMEOUT)
    assert response.payment.id == "pay_1"
    assert call.code() is grpc.StatusCode.OK
    assert ("from", "server") in tuple(call.initial_metadata())
    assert not call.is_active()
    assert 0 < call.time_remaining() <= TIMEOUT


def test_inner_interceptors_see_the_context_of_the_caller_in_every_attempt():
    trace = contextvars.ContextVar("trace")
    seen = []

    class Inner(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation, client_call_details, request):
            seen.append(trace.get())
            return continuation(client_call_details, request)

    trace.set("abc")
    with serving(fail(grpc.StatusCode.ABORTED), succeed()) as service:
        with sync_method(service.target, QUICK, Inner()) as method:
            method(REQUEST)
    assert seen == ["abc", "abc"]


def test_a_method_that_needs_no_key_is_left_alone():
    with serving(fail(grpc.StatusCode.UNAVAILABLE)) as service, reporting() as report:
        with grpc.insecure_channel(service.target) as channel:
            intercepted = grpc.intercept_channel(channel, IdempotencyInterceptor(QUICK))
            stub = payments_pb2_grpc.PaymentServiceStub(intercepted)
            with pytest.raises(grpc.RpcError):
                stub.GetPayment(payments_pb2.GetPaymentRequest(payment_id="pay_1"))
    assert service.keys == [[]]
    assert (report.key, report.attempts) == ("", 0)


def test_a_call_without_a_deadline_does_not_wait_for_a_server_that_is_away():
    with serving() as service:
        target = service.target
    with sync_method(target, Options(max_attempts=2, initial_backoff=0.01)) as method:
        with reporting() as report, pytest.raises(grpc.RpcError) as raised:
            method(REQUEST)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert report.attempts == 2
