import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from payonce.idempotency.v1 import options_pb2 as _options_pb2
from payonce.idempotency.v1 import outcome_pb2 as _outcome_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_STATE_UNSPECIFIED: _ClassVar[RecordState]
    RECORD_STATE_EXECUTING: _ClassVar[RecordState]
    RECORD_STATE_HELD: _ClassVar[RecordState]
    RECORD_STATE_COMPLETED: _ClassVar[RecordState]
    RECORD_STATE_EXPIRED: _ClassVar[RecordState]
    RECORD_STATE_RELEASED: _ClassVar[RecordState]

class RecordEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_EVENT_TYPE_UNSPECIFIED: _ClassVar[RecordEventType]
    RECORD_EVENT_TYPE_TAKEN_OVER: _ClassVar[RecordEventType]
    RECORD_EVENT_TYPE_OUTCOME_UNKNOWN: _ClassVar[RecordEventType]
    RECORD_EVENT_TYPE_RESOLVED: _ClassVar[RecordEventType]
RECORD_STATE_UNSPECIFIED: RecordState
RECORD_STATE_EXECUTING: RecordState
RECORD_STATE_HELD: RecordState
RECORD_STATE_COMPLETED: RecordState
RECORD_STATE_EXPIRED: RecordState
RECORD_STATE_RELEASED: RecordState
RECORD_EVENT_TYPE_UNSPECIFIED: RecordEventType
RECORD_EVENT_TYPE_TAKEN_OVER: RecordEventType
RECORD_EVENT_TYPE_OUTCOME_UNKNOWN: RecordEventType
RECORD_EVENT_TYPE_RESOLVED: RecordEventType

class RecordName(_message.Message):
    __slots__ = ("tenant", "operation", "idempotency_key")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    operation: str
    idempotency_key: str
    def __init__(self, tenant: _Optional[str] = ..., operation: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class GetRecordRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: RecordName
    def __init__(self, name: _Optional[_Union[RecordName, _Mapping]] = ...) -> None: ...

class GetRecordResponse(_message.Message):
    __slots__ = ("record", "events")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    record: Record
    events: _containers.RepeatedCompositeFieldContainer[RecordEvent]
    def __init__(self, record: _Optional[_Union[Record, _Mapping]] = ..., events: _Optional[_Iterable[_Union[RecordEvent, _Mapping]]] = ...) -> None: ...

class ListRecordsRequest(_message.Message):
    __slots__ = ("tenant", "operation", "state", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    operation: str
    state: RecordState
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., operation: _Optional[str] = ..., state: _Optional[_Union[RecordState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRecordsResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ResolveKeyRequest(_message.Message):
    __slots__ = ("name", "fencing_token", "not_executed", "response", "error", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FENCING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NOT_EXECUTED_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: RecordName
    fencing_token: int
    not_executed: NotExecuted
    response: bytes
    error: _status_pb2.Status
    reason: str
    def __init__(self, name: _Optional[_Union[RecordName, _Mapping]] = ..., fencing_token: _Optional[int] = ..., not_executed: _Optional[_Union[NotExecuted, _Mapping]] = ..., response: _Optional[bytes] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class NotExecuted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResolveKeyResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: Record
    def __init__(self, record: _Optional[_Union[Record, _Mapping]] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("tenant", "operation", "idempotency_key", "state", "fingerprint", "fencing_token", "attempts", "create_time", "claim_time", "lease_remaining", "complete_time", "expire_time", "outcome", "unknown_reason")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FENCING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TIME_FIELD_NUMBER: _ClassVar[int]
    LEASE_REMAINING_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_REASON_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    operation: str
    idempotency_key: str
    state: RecordState
    fingerprint: _outcome_pb2.Fingerprint
    fencing_token: int
    attempts: int
    create_time: _timestamp_pb2.Timestamp
    claim_time: _timestamp_pb2.Timestamp
    lease_remaining: _duration_pb2.Duration
    complete_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    outcome: _outcome_pb2.StoredOutcome
    unknown_reason: str
    def __init__(self, tenant: _Optional[str] = ..., operation: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., state: _Optional[_Union[RecordState, str]] = ..., fingerprint: _Optional[_Union[_outcome_pb2.Fingerprint, _Mapping]] = ..., fencing_token: _Optional[int] = ..., attempts: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., claim_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lease_remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[_outcome_pb2.StoredOutcome, _Mapping]] = ..., unknown_reason: _Optional[str] = ...) -> None: ...

class RecordEvent(_message.Message):
    __slots__ = ("time", "type", "fencing_token", "detail")
    TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FENCING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    type: RecordEventType
    fencing_token: int
    detail: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., type: _Optional[_Union[RecordEventType, str]] = ..., fencing_token: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class ListOperatorActsRequest(_message.Message):
    __slots__ = ("tenant", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOperatorActsResponse(_message.Message):
    __slots__ = ("acts", "next_page_token")
    ACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    acts: _containers.RepeatedCompositeFieldContainer[OperatorAct]
    next_page_token: str
    def __init__(self, acts: _Optional[_Iterable[_Union[OperatorAct, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class OperatorAct(_message.Message):
    __slots__ = ("time", "identity", "role", "operator_tenant", "peer", "method", "tenant", "operation", "idempotency_key", "resolution", "reason", "result")
    TIME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_TENANT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    identity: str
    role: str
    operator_tenant: str
    peer: str
    method: str
    tenant: str
    operation: str
    idempotency_key: str
    resolution: str
    reason: str
    result: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., identity: _Optional[str] = ..., role: _Optional[str] = ..., operator_tenant: _Optional[str] = ..., peer: _Optional[str] = ..., method: _Optional[str] = ..., tenant: _Optional[str] = ..., operation: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., resolution: _Optional[str] = ..., reason: _Optional[str] = ..., result: _Optional[str] = ...) -> None: ...
