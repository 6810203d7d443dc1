"""Makes the virtual environment .cache/python at the repository's root, and the stubs.

From the versions in requirements.txt and from the protos, unless what is there is up to date.
Several may ask at once.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import stubs

CLIENT = Path(__file__).resolve().parent.parent
REQUIREMENTS = CLIENT / "requirements.txt"
ENVIRONMENT = CLIENT.parent.parent / ".cache" / "python"
PYTHON = ENVIRONMENT / "bin" / "python"

# Copied last: an install that was broken off leaves nothing that looks complete.
INSTALLED = ENVIRONMENT / REQUIREMENTS.name


def is_complete() -> bool:
    """Returns whether what is installed is what is required."""
    return INSTALLED.is_file() and INSTALLED.read_bytes() == REQUIREMENTS.read_bytes()


def install() -> None:
    """Makes the environment anew."""
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    # Standard output belongs to whoever asked for the environment.
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True, stdout=sys.stderr)  # noqa: S603
    shutil.copyfile(REQUIREMENTS, INSTALLED)


if __name__ == "__main__":
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete():
            install()
        if not stubs.are_up_to_date():
            subprocess.run([PYTHON, stubs.__file__], check=True, stdout=sys.stderr)  # noqa: S603
