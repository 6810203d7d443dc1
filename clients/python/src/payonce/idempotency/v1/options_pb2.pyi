import datetime

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InFlight(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IN_FLIGHT_UNSPECIFIED: _ClassVar[InFlight]
    IN_FLIGHT_ABORT: _ClassVar[InFlight]
    IN_FLIGHT_WAIT: _ClassVar[InFlight]

class OnLostOwner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_LOST_OWNER_UNSPECIFIED: _ClassVar[OnLostOwner]
    ON_LOST_OWNER_HOLD: _ClassVar[OnLostOwner]
    ON_LOST_OWNER_RERUN: _ClassVar[OnLostOwner]
IN_FLIGHT_UNSPECIFIED: InFlight
IN_FLIGHT_ABORT: InFlight
IN_FLIGHT_WAIT: InFlight
ON_LOST_OWNER_UNSPECIFIED: OnLostOwner
ON_LOST_OWNER_HOLD: OnLostOwner
ON_LOST_OWNER_RERUN: OnLostOwner
IDEMPOTENCY_FIELD_NUMBER: _ClassVar[int]
idempotency: _descriptor.FieldDescriptor
EXCLUDE_FROM_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
exclude_from_fingerprint: _descriptor.FieldDescriptor

class IdempotencyPolicy(_message.Message):
    __slots__ = ("required", "in_flight", "in_flight_wait_limit", "on_lost_owner", "retention", "lease", "operation_name", "key_field")
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_WAIT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ON_LOST_OWNER_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_FIELD_NUMBER: _ClassVar[int]
    required: bool
    in_flight: InFlight
    in_flight_wait_limit: _duration_pb2.Duration
    on_lost_owner: OnLostOwner
    retention: _duration_pb2.Duration
    lease: _duration_pb2.Duration
    operation_name: str
    key_field: str
    def __init__(self, required: bool = ..., in_flight: _Optional[_Union[InFlight, str]] = ..., in_flight_wait_limit: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., on_lost_owner: _Optional[_Union[OnLostOwner, str]] = ..., retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lease: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., operation_name: _Optional[str] = ..., key_field: _Optional[str] = ...) -> None: ...
