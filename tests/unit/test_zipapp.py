"""The single file: the same bytes twice, small, source only, at home in a Python that has nothing installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = "aws-tpm-process-credential"
PROGRAMS = [([PROGRAM], f"{PROGRAM} "), (["tpmwire"], "tpmwire "), ([], "tpmwire ")]


def build(output: Path, **environment: str) -> bytes:
    command = [sys.executable, str(ROOT / "tools" / "zipapp.py"), str(output)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    return output.read_bytes()


def bare(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run where neither this checkout nor site-packages can help."""
    clean = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, cwd="/", env=clean)


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist") / "tpmwire.pyz"
    build(path)
    return path


def test_twice_built_it_is_the_same(pyz: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        again = build(tmp_path / "again.pyz", TZ="Pacific/Auckland", PYTHONHASHSEED="1")
    finally:
        os.umask(umask)
    assert again == pyz.read_bytes()
    assert (tmp_path / "again.pyz").stat().st_mode & 0o777 == 0o755


def test_source_date_epoch_dates_every_member(tmp_path: Path) -> None:
    build(tmp_path / "dated.pyz", SOURCE_DATE_EPOCH="1764000000", TZ="Pacific/Auckland")
    with zipfile.ZipFile(tmp_path / "dated.pyz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(2025, 11, 24, 16, 0, 0)}


def test_it_is_small_and_holds_source_and_licences_only(pyz: Path) -> None:
    assert pyz.stat().st_size < 1_500_000
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names == sorted(names)
    assert {"cli/credential_process.py", "cli/toolbox.py", "construct/core.py", "tpmwire/wire.py"} <= set(names)
    assert [name for name in names if name.endswith("LICENSE")] != ["LICENSE"]
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        *("LICENSE", "__main__.py", "cli", "construct", "sigv4", "tpmwire", "tpmwire_programs.py"),
    }
    assert not [name for name in names if name.endswith((".pyc", ".so", ".pth"))]


@pytest.mark.parametrize(("argument", "starts"), PROGRAMS)
def test_the_first_argument_picks_the_program(pyz: Path, argument: list[str], starts: str) -> None:
    done = bare(sys.executable, "-I", "-S", pyz, *argument, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(starts)


@pytest.mark.parametrize("name", [PROGRAM, f"{PROGRAM}.pyz", "tpmwire"])
def test_the_name_it_runs_under_picks_the_program(pyz: Path, tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(pyz)
    done = bare(link, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name.removesuffix('.pyz')} ")


def test_a_users_mistake_is_one_line_and_status_2(pyz: Path) -> None:
    done = bare(sys.executable, "-I", "-S", pyz, PROGRAM, "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "--no-such-option" in done.stderr
