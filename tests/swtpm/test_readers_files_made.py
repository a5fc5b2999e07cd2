"""Files that the installed tpm2-tools write on a software TPM: read_file names each of them."""

from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm
from tests.support.tools_files import EXPECTED, make_files
from tpmwire.explain.readers.files import read_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    with Swtpm() as swtpm:
        assert make_files(swtpm, made) == []
    return made


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file(folder: Path, name: str) -> None:
    readings = read_file((folder / name).read_bytes())
    assert EXPECTED[name] in " / ".join(reading.kind for reading in readings[:2])
