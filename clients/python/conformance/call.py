"""What both drivers read and write: one JSON object a line."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf import json_format, message_factory
from google.rpc import error_details_pb2, status_pb2

from payonce.payments.v1 import payments_pb2
from payonce_client import CHANNEL_OPTIONS, KEY_METADATA, CallReport, Options

if TYPE_CHECKING:
    import grpc

_METHODS = payments_pb2.DESCRIPTOR.services_by_name["PaymentService"].methods_by_name


class Call(NamedTuple):
    """One line of the input."""

    id: str
    target: str
    method: str
    request: Any
    metadata: tuple[tuple[str, str], ...]
    timeout: float
    cancel_after: float | None
    channel_options: tuple[tuple[str, str | int], ...]
    options: Options


class Ending(NamedTuple):
    """How a call ended, on either kind of channel."""

    code: grpc.StatusCode
    trailers: Any
    response: Any = None


def read_call(line: str) -> Call:
    fields = json.loads(line)
    chosen = fields.get("options", {})
    names = {
        "max_attempts": chosen.get("maxAttempts"),
        "initial_backoff": _seconds(chosen.get("initialBackoffMs")),
        "max_backoff": _seconds(chosen.get("maxBackoffMs")),
    }
    key = fields.get("key")
    return Call(
        id=fields["id"],
        target=fields["target"],
        method=fields["method"],
        request=_read_request(fields),
        metadata=() if key is None else ((KEY_METADATA, key),),
        timeout=fields["deadlineMs"] / 1000,
        cancel_after=_seconds(fields.get("cancelAfterMs")),
        channel_options=_read_channel_options(fields.get("serviceConfig")),
        options=Options(**{name: value for name, value in names.items() if value is not None}),
    )


def write_answer(call: Call, ending: Ending, report: CallReport) -> None:
    response = b"" if ending.response is None else ending.response.SerializeToString()
    answer = {
        "id": call.id,
        "code": ending.code.name,
        "reason": _reason(ending.trailers),
        "key": report.key,
        "attempts": report.attempts,
        "replayed": report.replayed,
        "response": base64.b64encode(response).decode(),
    }
    # In one piece: other threads write too.
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _read_request(fields: dict[str, Any]) -> Any:
    request = message_factory.GetMessageClass(_METHODS[fields["method"]].input_type)()
    json_format.ParseDict(fields["request"], request)
    request.MergeFromString(base64.b64decode(fields.get("requestBytes", "")))
    return request


def _read_channel_options(service_config: str | None) -> tuple[tuple[str, str | int], ...]:
    if service_config is None:
        return CHANNEL_OPTIONS
    return (("grpc.service_config", service_config),)


def _reason(trailers: Any) -> str:
    status = status_pb2.Status.FromString(dict(trailers or ()).get("grpc-status-details-bin", b""))
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
