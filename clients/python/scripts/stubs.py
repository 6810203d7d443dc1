"""Makes the stubs in src/payonce from the repository's protos.

The build of the package calls it, and the environment that the tests run in.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent
PROTOS = CLIENT.parent.parent / "proto"
# Not the service's own sandbox, which no client calls.
PACKAGES = ("payonce/idempotency/v1", "payonce/payments/v1")
STUBS = CLIENT / "src" / "payonce"


def make_stubs() -> None:
    """Replaces src/payonce.

    Without the repository's protos it does nothing: a source distribution holds the stubs instead.
    """
    if not PROTOS.is_dir():
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "payonce"
        run_protoc(made.parent)
        for package in PACKAGES:
            (made.parent / package / "py.typed").touch()
        shutil.rmtree(STUBS, ignore_errors=True)
        shutil.move(made, STUBS)


def are_up_to_date() -> bool:
    """Returns whether each stub is newer than its proto and this file."""
    newest = max(path.stat().st_mtime for path in [Path(__file__), *proto_files()])
    stubs = [STUBS.parent / proto_name(path).replace(".proto", "_pb2.py") for path in proto_files()]
    return all(stub.is_file() and stub.stat().st_mtime >= newest for stub in stubs)


def run_protoc(output: Path) -> None:
    """Writes the modules, their types and the gRPC stubs below a folder."""
    # Installed for builds only.
    import grpc_tools
    from grpc_tools import protoc

    exit_code = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
            f"--proto_path={google_rpc()}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpc_python_out={output}",
            *map(proto_name, proto_files()),
        ]
    )
    if exit_code != 0:
        sys.exit(f"protoc ended with {exit_code}")


def google_rpc() -> Path:
    """Returns the folder that holds google/rpc, where the installed package keeps its protos."""
    distribution = importlib.metadata.distribution("googleapis-common-protos")
    return Path(str(distribution.locate_file("")))


def proto_files() -> list[Path]:
    """Returns the protos that clients need."""
    return sorted(path for package in PACKAGES for path in (PROTOS / package).glob("*.proto"))


def proto_name(path: Path) -> str:
    """Returns a proto's name as others import it."""
    return path.relative_to(PROTOS).as_posix()


if __name__ == "__main__":
    make_stubs()
