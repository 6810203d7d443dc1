"""What every caller sees, however it calls."""

import gc
import uuid

import grpc
import pytest
from support import (
    REQUEST,
    call_aio,
    call_blocking,
    call_future,
    fail,
    retry_info,
    serving,
    succeed,
)

from payonce_client import KEY_METADATA, Options, reporting

QUICK = Options(initial_backoff=0.01)


@pytest.fixture(params=[call_blocking, call_future, call_aio])
def call(request):
    return request.param


def test_a_call_without_a_key_keeps_the_one_it_gets(call):
    with serving(fail(grpc.StatusCode.UNAVAILABLE), succeed()) as service, reporting() as report:
        response = call(service.target, QUICK)
    assert response.payment.id == "pay_1"
    [[first], [second]] = service.keys
    assert first == second == report.key
    assert uuid.UUID(report.key).version == 4
    assert report.attempts == 2


def test_a_key_in_the_metadata_is_kept(call):
    with serving(succeed()) as service, reporting() as report:
        call(service.target, QUICK, metadata=((KEY_METADATA, "order-1"),))
    assert service.keys == [["order-1"]]
    assert report.key == "order-1"


def test_a_key_in_the_request_is_kept(call):
    request = type(REQUEST)(idempotency_key="order-1")
    with serving(succeed()) as service, reporting() as report:
        call(service.target, QUICK, request)
    assert service.keys == [[]]
    assert report.key == "order-1"


def test_the_key_function_is_asked_once_with_the_method_and_the_request(call):
    asked = []

    def make_key(method, request):
        asked.append((method, request))
        return f"order-{len(asked)}"

    options = Options(initial_backoff=0.01, make_key=make_key)
    with serving(fail(grpc.StatusCode.ABORTED), succeed()) as service:
        call(service.target, options)
    assert asked == [("/payonce.payments.v1.PaymentService/CreatePayment", REQUEST)]
    assert service.keys == [["order-1"], ["order-1"]]


# grpcio 1.80 logs it once more, when the call of grpc.aio is collected.
@pytest.mark.filterwarnings(
    "ignore:.*InterceptedCall.__del__:pytest.PytestUnraisableExceptionWarning"
)
def test_what_the_key_function_raises_ends_the_call_before_it_is_sent(call):
    def make_key(_method, _request):
        raise LookupError("no order")

    with serving() as service, pytest.raises(LookupError, match="no order"):
        call(service.target, Options(make_key=make_key))
    assert service.keys == []
    gc.collect()  # here, and not in the test that happens to come next


@pytest.mark.parametrize(
    "trailer",
    [("grpc-retry-pushback-ms", "300"), ("grpc-status-details-bin", retry_info(0.3))],
    ids=["pushback", "RetryInfo"],
)
def test_any_code_is_retried_after_the_delay_of_the_server(call, trailer):
    with serving(fail(grpc.StatusCode.RESOURCE_EXHAUSTED, trailer), succeed()) as service:
        call(service.target, QUICK)
    first, second = service.times
    assert second - first >= 0.3


def test_the_last_answer_is_returned_when_the_attempts_are_used_up(call):
    answers = [fail(grpc.StatusCode.ABORTED, ("attempt", str(n))) for n in (1, 2)]
    with serving(*answers) as service, reporting() as report:
        with pytest.raises(grpc.RpcError) as raised:
            call(service.target, Options(max_attempts=2, initial_backoff=0.01))
    assert raised.value.code() is grpc.StatusCode.ABORTED
    assert ("attempt", "2") in tuple(raised.value.trailing_metadata())
    assert report.attempts == 2


def test_the_last_answer_is_returned_when_the_delay_does_not_fit_into_the_deadline(call):
    pushback = ("grpc-retry-pushback-ms", "60000")
    with serving(fail(grpc.StatusCode.ABORTED, pushback)) as service:
        with pytest.raises(grpc.RpcError) as raised:
            call(service.target, QUICK)
    assert raised.value.code() is grpc.StatusCode.ABORTED


def test_a_final_error_is_not_retried(call):
    pushback = ("grpc-retry-pushback-ms", "-1")
    with serving(fail(grpc.StatusCode.UNAVAILABLE, pushback)) as service:
        with pytest.raises(grpc.RpcError) as raised:
            call(service.target, QUICK)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(service.keys) == 1


def test_the_report_says_that_an_answer_is_a_replay(call):
    with serving(succeed(("idempotency-replayed", "true"))) as service, reporting() as report:
        call(service.target, QUICK)
    assert report.replayed


def test_the_report_says_that_an_error_is_a_replay(call):
    trailer = ("idempotency-replayed", "true")
    with serving(fail(grpc.StatusCode.NOT_FOUND, trailer)) as service, reporting() as report:
        with pytest.raises(grpc.RpcError):
            call(service.target, QUICK)
    assert report.replayed


def test_the_report_is_about_the_last_call_in_its_block(call):
    replay = succeed(("idempotency-replayed", "true"))
    with serving(fail(grpc.StatusCode.ABORTED), replay, succeed()) as service:
        with reporting() as report:
            call(service.target, QUICK)
            call(service.target, QUICK)
    assert report.key == service.keys[-1][0]
    assert (report.attempts, report.replayed) == (1, False)
