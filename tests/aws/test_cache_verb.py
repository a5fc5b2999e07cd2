"""`tpmwire cache`: what is kept for whom, until when, and that it is gone."""

import json
import subprocess
import time
from pathlib import Path

from tests.support import keys
from tests.support.programs import TOOLBOX, Machine
from tests.support.sts import VerifyingSts


def tool(box: Machine, directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return box.run("cache", *words, program=box.bin / TOOLBOX, XDG_RUNTIME_DIR=str(directory))


def cached(box: Machine, sts: VerifyingSts, directory: Path, *words: str) -> dict[str, str]:
    done = box.run(
        f"--tpm-path={box.swtpm.path}",
        f"--aws-access-key-id={sts.access_key_id}",
        f"--endpoint-url={sts.endpoint}",
        f"--persistentHandle={keys.PLAIN_HANDLE:#x}",
        "--timeout=20",
        "--cache",
        *words,
        XDG_RUNTIME_DIR=str(directory),
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_line_for_each_and_no_secret(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    assert (tool(box, tmp_path).stdout, tool(box, tmp_path, "list", "--json").stdout) == ("", "[]\n")
    assert not (tmp_path / "tpmwire").exists()
    role = cached(box, sts, tmp_path, "--assumeRole", f"--aws-arn={sts.role_arn}", "--aws-region=eu-central-1")
    session = cached(box, sts, tmp_path)
    done = tool(box, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = sorted(done.stdout.splitlines())
    assert first.startswith(f"{sts.access_key_id} {sts.role_arn} eu-central-1  until 2")
    assert second.startswith(f"{sts.access_key_id} session  until 2")
    for given in (role, session):
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            assert given[name] not in done.stdout
    rows = json.loads(tool(box, tmp_path, "--json").stdout)
    # An hour, less 15 minutes and up to two by chance.
    assert all(42 * 60 < row["renewed_at"] - time.time() <= 45 * 60 for row in rows)
    assert {Path(row["file"]).exists() for row in rows} == {True}


def test_what_is_cleared_is_asked_for_again(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    words = ("--assumeRole", f"--aws-arn={sts.role_arn}")
    first = cached(box, sts, tmp_path, *words)
    assert cached(box, sts, tmp_path, *words) == first
    mine = tmp_path / "tpmwire" / "notes"
    mine.write_text("not of a cache")
    done = tool(box, tmp_path, "clear")
    assert (done.returncode, done.stdout) == (0, f"1 cache removed from {tmp_path}/tpmwire\n")
    assert list(mine.parent.iterdir()) == [mine]
    empty = tool(box, tmp_path)
    assert (empty.stdout, empty.stderr) == ("", f"tpmwire: no cached credentials in {tmp_path}/tpmwire\n")
    assert cached(box, sts, tmp_path, *words) != first


def test_damage_is_told_and_does_not_reach_the_terminal(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    cached(box, sts, tmp_path)
    (cache,) = (path for path in (tmp_path / "tpmwire").iterdir() if path.suffix == "")
    good = cache.read_bytes()
    cache.write_bytes(good.replace(b" session", b" \x1b[2Jion", 1))
    said = tool(box, tmp_path).stdout
    assert "\x1b" not in said
    assert " ?[2Jion  until " in said
    cache.write_bytes(good[:40])
    assert (
        tool(box, tmp_path).stdout
        == "damaged, or written by a different version  not used: the next run replaces it\n"
    )


def test_another_users_directory_is_left_alone(box: Machine, tmp_path: Path) -> None:
    (tmp_path / "tpmwire").mkdir(0o755)
    for action in ("list", "clear"):
        done = tool(box, tmp_path, action)
        assert (done.returncode, done.stdout) == (2, "")
        assert "0700" in done.stderr
        assert done.stderr.count("\n") == 1
