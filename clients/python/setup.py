"""Makes the stubs before setuptools looks for packages; pyproject.toml says all else."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))

from stubs import make_stubs

make_stubs()
setup()
