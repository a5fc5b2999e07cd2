"""Fixtures of packages."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .debian import Debian


@pytest.fixture(scope="session")
def debian() -> Iterator[Debian]:
    with tempfile.TemporaryDirectory(prefix="debian-") as place:
        Path(place).chmod(0o755)
        yield Debian(Path(place, "root"))
