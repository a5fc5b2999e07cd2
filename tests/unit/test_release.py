"""tools/release.py: the version of every artefact, checksums, and a signature that OpenSSH verifies."""

import re
import subprocess
import tomllib
from pathlib import Path

import pathspec
import pytest

import tpmwire
from tests.support.programs import ROOT
from tools import release


def test_the_version_has_one_place() -> None:
    assert release.read_version() == tpmwire.__version__
    done = subprocess.run(
        ["grep", "-rnF", tpmwire.__version__, ROOT / "packaging"], check=False, capture_output=True, text=True
    )
    assert done.stdout == ""


def test_checksums_are_verified_by_sha256sum(tmp_path: Path) -> None:
    names = release.artefacts("1.2")
    for name in names:
        (tmp_path / name).write_text(name)
    release.write_checksums(tmp_path, names)
    check = ["sha256sum", "--check", "--strict", release.SUMS]
    done = subprocess.run(check, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.stdout == "".join(f"{name}: OK\n" for name in names)
    (tmp_path / names[0]).write_text("changed")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_without_a_key_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"{release.SUMS}.sig").write_text("of an earlier release")
    release.sign(tmp_path, None)
    assert "is not signed; set RELEASE_KEY" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_signature_is_verified_as_documented(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "allowed_signers").write_text(f"maintainers {(tmp_path / 'key.pub').read_text()}")
    (tmp_path / release.SUMS).write_text("checksums\n")
    release.sign(tmp_path, str(key))
    text = (ROOT / "docs" / "release.md").read_text()
    (verify,) = re.findall(r"^ {4}(ssh-keygen -Y verify .*)$", text, re.M)
    assert subprocess.run(["sh", "-c", verify], cwd=tmp_path, check=False).returncode == 0
    (tmp_path / release.SUMS).write_text("other checksums\n")
    assert subprocess.run(["sh", "-c", verify], cwd=tmp_path, check=False).returncode != 0


def test_backups_of_editors_are_left_out_of_wheel_and_source_archive() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    spec = pathspec.GitIgnoreSpec.from_lines(project["tool"]["hatch"]["build"]["exclude"])
    backups = ["x.py~", ".#x.py", "#x.py#", "x.py.orig", "x.py.rej", "x.bak", ".x.py.swp", "a.swp", "x copy.py"]
    assert [name for name in backups if not spec.match_file(f"cli/verbs/{name}")] == []
    sources = [
        path.relative_to(ROOT) for top in ("cli", "fixtures", "packaging") for path in (ROOT / top).rglob("*")
    ]
    assert [path for path in sources if path.suffix in (".py", ".md", ".pem", "") and spec.match_file(path)] == []


def test_workflows_name_the_commit_of_each_action() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for action in re.findall(r"uses: (.*)", path.read_text()):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action), (path.name, action)


def test_the_workflow_releases_the_artefacts_of_this_version() -> None:
    """The workflow compares the tag with the version as release.py reads it."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "make release" in text
    (command,) = re.findall(r"^ *version=\$\((.*)\)$", text, re.M)
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == f"{tpmwire.__version__}\n"
