"""The gRPC generator of grpcio-tools, which is built into its protoc, as a plugin for buf."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def generate(
    request: plugin_pb2.CodeGeneratorRequest, folder: Path
) -> plugin_pb2.CodeGeneratorResponse:
    """Runs protoc in a folder, on what a plugin is given."""
    descriptors = folder / "descriptors.binpb"
    descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    output = folder / "output"
    output.mkdir()
    exit_code = protoc.main(
        [
            "protoc",
            f"--descriptor_set_in={descriptors}",
            f"--grpc_python_out={output}",
            *request.file_to_generate,
        ]
    )
    if exit_code != 0:
        return plugin_pb2.CodeGeneratorResponse(error=f"protoc ended with {exit_code}")
    return plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL,
        file=[
            plugin_pb2.CodeGeneratorResponse.File(
                name=path.relative_to(output).as_posix(), content=path.read_text()
            )
            for path in sorted(output.rglob("*.py"))
        ],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        response = generate(
            plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read()), Path(temporary)
        )
    sys.stdout.buffer.write(response.SerializeToString())
