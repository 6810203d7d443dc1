"""What only a caller on grpc.aio sees."""

import asyncio

import grpc
import pytest
from support import REQUEST, TIMEOUT, aio_method, fail, hang, serving, succeed

from payonce_client import Options, reporting

QUICK = Options(initial_backoff=0.01)
IN_A_MINUTE = ("grpc-retry-pushback-ms", "60000")


def test_a_task_that_is_cancelled_ends_its_attempt():
    async def scenario(service):
        async with aio_method(service.target, QUICK) as method:
            task = asyncio.ensure_future(method(REQUEST))
            assert await asyncio.to_thread(service.arrived.wait, TIMEOUT)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(service.ended.wait, TIMEOUT)

    with serving(hang) as service:
        asyncio.run(scenario(service))
    assert len(service.keys) == 1


def test_a_call_that_is_cancelled_ends_its_wait():
    async def scenario(service):
        async with aio_method(service.target, QUICK) as method:
            call = method(REQUEST)
            assert await asyncio.to_thread(service.ended.wait, TIMEOUT)
            await asyncio.sleep(0.2)
            assert call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED

    with serving(fail(grpc.StatusCode.ABORTED, IN_A_MINUTE)) as service:
        asyncio.run(scenario(service))


def test_calls_at_once_have_reports_of_their_own():
    async def call(method):
        with reporting() as report:
            await method(REQUEST)
        return report

    async def scenario(service):
        async with aio_method(service.target, QUICK) as method:
            return await asyncio.gather(call(method), call(method), call(method))

    with serving(fail(grpc.StatusCode.ABORTED), succeed(), succeed(), succeed()) as service:
        reports = asyncio.run(scenario(service))
    assert len({report.key for report in reports}) == 3
    assert sum(report.attempts for report in reports) == 4


def test_an_error_that_an_inner_interceptor_raises_is_retried_too():
    class Inner(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation, client_call_details, request):
            return await (await continuation(client_call_details, request))

    async def scenario(service):
        async with aio_method(service.target, QUICK, Inner()) as method:
            return await method(REQUEST, timeout=TIMEOUT)

    with serving(fail(grpc.StatusCode.ABORTED), succeed()) as service:
        response = asyncio.run(scenario(service))
    assert response.payment.id == "pay_1"
