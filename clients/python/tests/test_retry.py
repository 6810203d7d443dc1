"""When the next attempt is made."""

import grpc
import pytest
from support import retry_info

from payonce_client import Options
from payonce_client._retry import wait_before_retry

OPTIONS = Options(initial_backoff=0.1, max_backoff=5)
SAMPLES = 1000


def waits(code, *trailers, retries=0):
    return [wait_before_retry(OPTIONS, code, trailers, retries) for _ in range(SAMPLES)]


@pytest.mark.parametrize(
    ("retries", "longest"), [(0, 0.1), (1, 0.2), (4, 1.6), (6, 5), (9, 5), (100_000, 5)]
)
def test_the_backoff_doubles_up_to_its_maximum(retries, longest):
    sampled = waits(grpc.StatusCode.ABORTED, retries=retries)
    assert all(0 <= wait <= longest for wait in sampled)
    # It is spread over all that it may be.
    assert min(sampled) < longest * 0.1
    assert max(sampled) > longest * 0.9


@pytest.mark.parametrize(
    "trailer",
    [("grpc-retry-pushback-ms", "700"), ("grpc-status-details-bin", retry_info(0.7))],
    ids=["pushback", "RetryInfo"],
)
def test_the_delay_of_the_server_is_kept_and_spread(trailer):
    sampled = waits(grpc.StatusCode.UNAVAILABLE, trailer, retries=9)
    assert all(0.7 <= wait <= 0.8 for wait in sampled)
    assert max(sampled) - min(sampled) > 0.05


def test_the_pushback_goes_before_retry_info():
    trailers = [
        ("grpc-status-details-bin", retry_info(9)),
        ("grpc-retry-pushback-ms", "700"),
    ]
    assert all(wait < 1 for wait in waits(grpc.StatusCode.UNAVAILABLE, *trailers))


@pytest.mark.parametrize("pushback", ["-1", "", "soon", "1.5", "\u0661"])
def test_a_pushback_that_is_no_delay_is_final(pushback):
    trailers = (("grpc-retry-pushback-ms", pushback),)
    assert wait_before_retry(OPTIONS, grpc.StatusCode.UNAVAILABLE, trailers, 0) is None


@pytest.mark.parametrize("code", set(grpc.StatusCode) - {grpc.StatusCode.OK})
def test_only_some_codes_are_retried_without_a_delay(code):
    is_retried = wait_before_retry(OPTIONS, code, None, 0) is not None
    assert is_retried == (code.name in {"ABORTED", "UNAVAILABLE", "CANCELLED"})


@pytest.mark.parametrize(
    "trailer",
    [("grpc-retry-pushback-ms", "9" * 30), ("grpc-status-details-bin", retry_info(3e11))],
    ids=["pushback", "RetryInfo"],
)
def test_no_delay_is_longer_than_a_timer_takes(trailer):
    wait = wait_before_retry(OPTIONS, grpc.StatusCode.UNAVAILABLE, (trailer,), 0)
    assert wait < 2**31 / 1000 + 1


def test_details_that_cannot_be_read_name_no_delay():
    trailers = (("grpc-status-details-bin", b"\xff"),)
    assert wait_before_retry(OPTIONS, grpc.StatusCode.INTERNAL, trailers, 0) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 0),
        ("initial_backoff", -0.1),
        ("initial_backoff", float("nan")),
        ("max_backoff", float("inf")),
    ],
)
def test_options_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Options(**{name: value})
