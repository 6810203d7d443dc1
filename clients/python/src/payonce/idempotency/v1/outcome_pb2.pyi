from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoredOutcome(_message.Message):
    __slots__ = ("code", "message", "headers", "body", "trailers")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TRAILERS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    headers: _containers.RepeatedCompositeFieldContainer[MetadataEntry]
    body: bytes
    trailers: _containers.RepeatedCompositeFieldContainer[MetadataEntry]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[MetadataEntry, _Mapping]]] = ..., body: _Optional[bytes] = ..., trailers: _Optional[_Iterable[_Union[MetadataEntry, _Mapping]]] = ...) -> None: ...

class MetadataEntry(_message.Message):
    __slots__ = ("name", "text", "binary")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: str
    binary: bytes
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ..., binary: _Optional[bytes] = ...) -> None: ...

class CachedOutcome(_message.Message):
    __slots__ = ("outcome", "fingerprint", "checksum")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    outcome: bytes
    fingerprint: Fingerprint
    checksum: bytes
    def __init__(self, outcome: _Optional[bytes] = ..., fingerprint: _Optional[_Union[Fingerprint, _Mapping]] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class Fingerprint(_message.Message):
    __slots__ = ("version", "canonical_sha256", "raw_sha256")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_SHA256_FIELD_NUMBER: _ClassVar[int]
    RAW_SHA256_FIELD_NUMBER: _ClassVar[int]
    version: int
    canonical_sha256: bytes
    raw_sha256: bytes
    def __init__(self, version: _Optional[int] = ..., canonical_sha256: _Optional[bytes] = ..., raw_sha256: _Optional[bytes] = ...) -> None: ...
