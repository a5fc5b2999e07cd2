"""What a fleet's hosts may have of their own, and what a run tells of it: resumed, in parts, through pipes."""

import hashlib
import hmac
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.keys.fleet.hosts import Fleet, survey
from cli.keys.fleet.wrap import HostWrapper, WrapOrder, wrap_host
from tests.support.programs import ROOT
from tests.support.targets import SECRET, host, write_chain
from tests.support.verbs import PROGRAM, Tool, shell
from tpmwire.keys.keyfile import parse
from tpmwire.secret import Secret

OTHER = SECRET[::-1]
BRANCHES = [[{"type": "PolicyAuthValue"}], [{"type": "PolicyPassword"}]]
PCRS = "sha256:7=" + 64 * "a"


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, hosts: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in hosts))
    return path


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_host_named_twice_is_refused_and_the_others_are_not(tool: Tool, tmp_path: Path) -> None:
    hosts = [host("a"), host("b"), host("a"), host("c"), host("a")]
    fleet = write(tmp_path / "fleet.jsonl", hosts)
    found = survey(Fleet(str(fleet)))
    assert (found.hosts, len(found.repeated)) == (5, 1)
    ran = tool("wrap", "--fleet", fleet, "--out", tmp_path / "out", stdin=SECRET)
    assert ran.code == 1
    assert "2 of 5 hosts wrapped" in ran.err
    assert ran.err.count("a is named more than once") == 3
    assert {path.name for path in (tmp_path / "out").glob("*.pem")} == {"b.pem", "c.pem"}


def test_of_a_stream_the_first_of_a_name_is_wrapped(tool: Tool, tmp_path: Path) -> None:
    secret = private(tmp_path / "secret", SECRET)
    lines = "".join(json.dumps(host(name)) + "\n" for name in ("a", "b", "a"))
    ran = tool("wrap", "--fleet=-", "--out=-", "--secret-file", secret, stdin=lines.encode())
    assert ran.code == 1
    assert [(one["host"], "error" in one) for one in map(json.loads, ran.out.splitlines())] == [
        ("a", False),
        ("b", False),
        ("a", True),
    ]


@pytest.mark.parametrize("change", ["secret", "password", "pcrs", "policy", "ca", "own password", "own secret"])
def test_a_run_is_not_resumed_with_other_inputs(tool: Tool, tmp_path: Path, change: str) -> None:
    hosts = [
        host("a"),
        host("b", password_file=str(private(tmp_path / "own", b"old"))),
        host("c", secret=OTHER.decode()),
    ]
    fleet, out = write(tmp_path / "fleet.jsonl", hosts), tmp_path / "out"
    password, policy = private(tmp_path / "password", b"1234"), tmp_path / "policy.json"
    policy.write_text('[{"type": "PolicyPCR", "pcrs": "sha256:7"}, {"type": "PolicyAuthValue"}]')
    words = ["wrap", "--fleet", fleet, "--out", out, "--key-auth-file", password, "--jobs=1"]
    same = [*words, f"--pcrs={PCRS}"]
    assert tool(*same, stdin=SECRET).code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    secret = SECRET
    changed: list[Any] = list(same)
    if change == "secret":
        secret = OTHER
    elif change == "password":
        password.write_bytes(b"1235")
    elif change == "pcrs":
        changed[-1] = "--pcrs=sha256:7=" + 64 * "b"
    elif change == "policy":
        policy.write_text('[{"type": "PolicyAuthValue"}]')
        changed[-1] = f"--policy={policy}"
    elif change == "ca":
        from tests.support.certificates import Authority

        changed += ["--ca", Authority(tmp_path, "maker").bundle]
    elif change == "own password":
        (tmp_path / "own").write_bytes(b"new")
        # A process reads a password file once.
        ran = subprocess.run(
            [*PROGRAM, *map(str, same), "--resume"], input=secret, capture_output=True, check=False
        )
        assert (ran.returncode, b"b was wrapped with a different" in ran.stderr) == (2, True), ran
        return
    else:
        write(
            fleet,
            [*hosts[:2], host("c", secret=SECRET.decode(), public=hosts[2]["public"], name=hosts[2]["name"])],
        )
    ran = tool(*changed, "--resume", stdin=secret)
    assert ran.code == 2
    assert "was wrapped with a different secret, password, policy or --ca" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    if change in ("secret", "pcrs", "ca"):
        (out / "b.pem").unlink()
        ran = tool(*same, "--resume", stdin=SECRET)
        assert (ran.code, "2 of 3 hosts are done already" in ran.err) == (0, True)
        assert (out / "a.pem").read_bytes() == before["a.pem"]


def test_a_policy_is_the_same_however_it_is_said(tool: Tool, tmp_path: Path) -> None:
    fleet = write(tmp_path / "fleet.jsonl", [host("a")])
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps([{"type": "PolicyPCR", "pcrs": PCRS}]))
    words = ("wrap", "--fleet", fleet, "--out", tmp_path / "out")
    assert tool(*words, "--pcrs", PCRS, stdin=SECRET).code == 0
    ran = tool(*words, "--policy", policy, "--resume", stdin=SECRET)
    assert (ran.code, "1 of 1 hosts are done already" in ran.err) == (0, True), ran.err


def test_a_changed_public_key_is_wrapped_for_again(tool: Tool, tmp_path: Path) -> None:
    words = ("wrap", "--fleet", tmp_path / "fleet.jsonl", "--out", tmp_path / "out")
    write(tmp_path / "fleet.jsonl", [host("a"), host("b")])
    assert tool(*words, stdin=SECRET).code == 0
    before = (tmp_path / "out" / "a.pem").read_bytes()
    write(tmp_path / "fleet.jsonl", [host("a"), host("b"), host("c")])
    ran = tool(*words, "--resume", stdin=SECRET)
    assert (ran.code, "done already" in ran.err) == (0, False)
    assert (tmp_path / "out" / "a.pem").read_bytes() != before


def test_a_manifest_gives_nothing_to_guess_against(tool: Tool, tmp_path: Path) -> None:
    """Without the secret no password can be tried; with it the fingerprint is what the documentation says."""
    password = private(tmp_path / "password", b"1234")
    fleet = write(tmp_path / "fleet.jsonl", [host("a"), host("b"), host("c", secret=OTHER.decode())])
    out = tmp_path / "out"
    assert tool("wrap", "--fleet", fleet, "--out", out, "--key-auth-file", password, stdin=SECRET).code == 0
    found = {one["host"]: one["inputs"] for one in entries(out / "manifest.jsonl")}
    assert len(set(found.values())) == 3
    said = json.dumps(["tpmwire wrap", "a", b"1234".hex(), "", "", False]).encode()
    assert found["a"] == hmac.digest(b"AWS4" + SECRET, said, "sha256")[:16].hex()
    text = (out / "manifest.jsonl").read_bytes()
    assert SECRET not in text
    assert b"1234".hex().encode() not in b"".join(value.encode() for value in found.values())
    assert not {hashlib.sha256(part).hexdigest()[:32] for part in (b"1234", SECRET, said)} & set(found.values())
    for path in out.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert out.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_shards_are_the_fleet_in_parts(tmp_path: Path, jobs: str) -> None:
    hosts = [host(f"h{number}") for number in range(40)] + [host("h3"), {"host": "../x"}, {}]
    fleet, out = write(tmp_path / "fleet.jsonl", hosts), tmp_path / "out"
    told = 0
    for part in ("1/3", "2/3", "3/3"):
        words = ("wrap", "--fleet", fleet, "--out", out, "--jobs", jobs, "--shard", part)
        ran = shell(*words, "--json", stdin=SECRET)  # it forks
        summary = json.loads(ran.out)
        told += summary["hosts"]
        assert summary["hosts"] == summary["wrapped"] + summary["failed"]
        assert 0 < summary["wrapped"] < 39
        assert shell(*words, "--resume", stdin=SECRET).err.startswith(f"{summary['wrapped']} of ")
    assert told == len(hosts)
    assert {path.stem for path in out.glob("*.pem")} == {f"h{number}" for number in range(40)} - {"h3"}
    assert sorted(path.name for path in out.glob("*.jsonl")) == [f"manifest-{k}-of-3.jsonl" for k in (1, 2, 3)]


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", ""])
def test_what_is_no_shard(tool: Tool, tmp_path: Path, part: str) -> None:
    fleet = write(tmp_path / "fleet.jsonl", [host("a")])
    ran = tool("wrap", "--fleet", fleet, "--out", tmp_path / "out", f"--shard={part}", stdin=SECRET)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--fleet=-", "--out=x", "--resume"), "reads the hosts twice"),
        (("--fleet=f", "--out=-", "--resume"), "needs a directory"),
        (("--fleet=-", "--out=-", "--jobs=4"), "--jobs is for hosts in a file"),
        (("--to=f", "--out=x", "--shard=1/2"), "--shard needs --fleet"),
    ],
)
def test_options_that_do_not_fit_together(tool: Tool, words: tuple[str, ...], says: str) -> None:
    ran = tool("wrap", *words)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_lines_in_and_lines_out(tool: Tool, tmp_path: Path) -> None:
    """One line for each, in order; what is wrong with one is in its line."""
    secret = private(tmp_path / "secret", SECRET + b"\n")
    lines = [json.dumps(host("a")).encode(), b"{", b"", json.dumps(host("b", kind="none")).encode()]
    lines.append(b'{"host": "long", "public": "' + (1 << 20) * b"0" + b'"}')
    lines.append(json.dumps(host("c")).encode())
    words = ("wrap", "--fleet=-", "--out=-", "--secret-file", secret)
    ran = tool(*words, "--json", stdin=b"\n".join(lines))
    assert ran.code == 1
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["host"] for one in found] == ["a", "", "b", "", "c"]
    assert ["error" in one for one in found] == [False, True, True, True, False]
    for one in (found[0], found[4]):
        assert parse(one["pem"].encode())
        assert hashlib.sha256(one["pem"].encode()).hexdigest() == one["fingerprint"]
    summary = json.loads(ran.err.splitlines()[-1])
    assert (summary["hosts"], summary["wrapped"], summary["failed"]) == (5, 2, 3)
    assert summary["failed_hosts"] == ["line 2", "b", "line 5"]
    assert SECRET.decode() not in ran.out + ran.err
    assert tool(*words, stdin=b"") == (0, "", "0 of 0 hosts wrapped\n")


def test_a_pipe_is_read_once(tool: Tool, tmp_path: Path) -> None:
    """As the shell's <(command) gives it: a first pass would find all hosts, a second none."""
    pipe, secret = tmp_path / "pipe", private(tmp_path / "secret", SECRET)
    os.mkfifo(pipe)
    words = ("wrap", "--fleet", pipe, "--out", tmp_path / "out", "--secret-file", secret)
    feeder = subprocess.Popen(["sh", "-c", f'cat > "{pipe}"'], stdin=subprocess.PIPE)
    assert feeder.stdin
    feeder.stdin.write("".join(json.dumps(host(name)) + "\n" for name in "abc").encode())
    feeder.stdin.close()
    ran = tool(*words)
    assert feeder.wait(30) == 0
    assert (ran.code, ran.err) == (0, f"3 of 3 hosts wrapped; see {tmp_path / 'out'}\n")
    assert tool(*words, "--resume").code == 2


def test_a_short_secret_has_no_fingerprint(tool: Tool, tmp_path: Path) -> None:
    """It could be guessed from one; so it is wrapped again."""
    fleet, out = write(tmp_path / "fleet.jsonl", [host("a"), host("b", secret="short")]), tmp_path / "out"
    assert tool("wrap", "--fleet", fleet, "--out", out, stdin=SECRET).code == 0
    assert [bool(one["inputs"]) for one in entries(out / "manifest.jsonl")] == [True, False]
    ran = tool("wrap", "--fleet", fleet, "--out", out, "--resume", stdin=SECRET)
    assert (ran.code, "1 of 2 hosts are done already" in ran.err) == (0, True)


def test_a_line_is_answered_before_the_next_one_comes(tmp_path: Path) -> None:
    secret = private(tmp_path / "secret", SECRET)
    words = [*PROGRAM, "wrap", "--fleet=-", "--out=-", "--secret-file", str(secret)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin
    assert process.stdout
    for name in ("a", "b"):
        process.stdin.write(json.dumps(host(name)).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["host"] == name
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def test_hosts_have_values_of_their_own(tool: Tool, tmp_path: Path) -> None:
    password = private(tmp_path / "password", b"own password")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps([{"type": "PolicyPCR", "pcrs": PCRS}, {"type": "PolicyAuthValue"}]))
    inline = [{"type": "PolicyAuthValue"}]
    fleet = write(
        tmp_path / "fleet.jsonl",
        [
            host("plain"),
            host("pcrs", pcrs=PCRS),
            host("password", password_file=str(password), aws_access_key_id="AKIAOWN"),
            host("file", policy=str(policy), password_file=str(password)),
            host("inline", policy=inline, key_auth_file=str(password)),
            host("absent", pcrs=None, policy=None, password_file=None),
        ],
    )
    words = ("wrap", "--fleet", fleet, "--out", tmp_path / "out", "--aws-access-key-id=AKIAALL")
    ran = tool(*words, stdin=SECRET)
    assert ran.code == 0, ran.err
    files = {path.stem: parse(path.read_bytes()) for path in (tmp_path / "out").glob("*.pem")}
    policies = {name: len(file.policy or ()) for name, file in files.items()}
    assert policies["plain"] == policies["absent"] == policies["password"] == 0
    assert {name: file.empty_auth for name, file in files.items()} == {
        "plain": True,
        "pcrs": True,
        "password": False,
        "file": False,
        "inline": False,
        "absent": True,
    }
    assert policies["file"] == policies["pcrs"] + 1 == policies["inline"] + 1 == 3
    ids = {one["host"]: one["aws_access_key_id"] for one in entries(tmp_path / "out" / "manifest.jsonl")}
    assert ids == {**dict.fromkeys(files, "AKIAALL"), "password": "AKIAOWN"}


def test_a_hosts_own_pcrs_that_bind_to_nothing_are_told(tool: Tool, tmp_path: Path) -> None:
    fleet = write(tmp_path / "fleet.jsonl", [host("a", pcrs="sha256:16=" + 64 * "b"), host("b", pcrs="sha256:9")])
    ran = tool("wrap", "--fleet", fleet, "--out", tmp_path / "out", stdin=SECRET)
    assert ran.code == 0
    assert "can reset PCR 16" in ran.err
    assert "nothing is measured into PCR 9" in ran.err


def test_pcrs_of_a_csv_and_of_all(tool: Tool, tmp_path: Path) -> None:
    rows = [host("a"), host("b")]
    lines = [
        "host,kind,public,pcrs",
        *(f"{one['host']},h2,{one['public']},{pcrs}" for one, pcrs in zip(rows, (PCRS, ""), strict=True)),
    ]
    (tmp_path / "fleet.csv").write_text("\n".join(lines))
    ran = tool(
        "wrap", "--fleet", tmp_path / "fleet.csv", "--out", tmp_path / "out", "--pcrs=sha256:8", stdin=SECRET
    )
    assert ran.code == 0, ran.err
    own, common = (parse((tmp_path / "out" / f"{name}.pem").read_bytes()) for name in "ab")
    assert own.policy
    assert common.policy
    assert own.policy[0] != common.policy[0]


def test_a_byte_order_mark_is_no_part_of_the_first_field(tool: Tool, tmp_path: Path) -> None:
    """As Windows' programs write it."""
    one = host("a")
    (tmp_path / "f.csv").write_bytes(b"\xef\xbb\xbf" + f"host,public\r\na,{one['public']}\r\n".encode())
    (tmp_path / "f.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(one).encode() + b"\r\n")
    for name in ("f.csv", "f.jsonl"):
        ran = tool("wrap", "--fleet", tmp_path / name, "--out", tmp_path / f"out-{name}", stdin=SECRET)
        assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pcr": PCRS}, "did you mean 'pcrs'"),
        ({"PCRs": PCRS}, "did you mean 'pcrs'"),
        ({"password": "x"}, "did you mean 'password_file'"),
        ({"passwordFile": "x"}, "did you mean 'password_file'"),
        ({"polcy": "x"}, "did you mean 'policy'"),
        ({"pcrs": ""}, "is empty"),
        ({"password_file": ""}, "is empty"),
        ({"pcrs": PCRS, "policy": "x"}, "both"),
        ({"pcrs": "x"}, "'x'"),
        ({"policy": "/nonexistent"}, "/nonexistent"),
        ({"policy": "["}, "policy"),
        ({"policy": [{"type": "PolicyOR", "branches": BRANCHES}]}, "branches"),
        ({"password_file": "/nonexistent"}, "/nonexistent"),
        ({"secret": "two words"}, "spaces"),
    ],
)  # fmt: skip
def test_protection_is_not_dropped_silently(fields: dict[str, Any], says: str) -> None:
    entry = wrap_host(host("a", **fields), WrapOrder(Secret(b"AWS4" + SECRET)))
    assert says in entry.get("error", ""), entry
    assert "pem" not in entry


def test_other_fields_of_an_inventory_are_left_alone() -> None:
    fields = host("a", rack="7", hostname="a.example.com", os="linux", model="x", names=["a"], polished=True)
    assert "pem" in wrap_host(fields, WrapOrder(Secret(b"AWS4" + SECRET)))


def test_a_function_for_one_host_that_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    private(tmp_path / "secret", SECRET)
    private(tmp_path / "password", b"hunter2")
    made: Callable[[Any], dict[str, Any]] = HostWrapper(secret_file="secret", password_file="password", pcrs=PCRS)
    one = made(host("a"))
    pickled = pickle.dumps(made)
    assert SECRET not in pickled
    assert b"hunter2" not in pickled
    os.chdir("/")
    again = pickle.loads(pickled)(fields := host("a"))
    assert again["inputs"] == one["inputs"]
    assert parse(again["pem"].encode()).policy
    assert pickle.loads(pickle.dumps(again)) == again
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    written = HostWrapper(secret_file="secret", out="out")(fields)
    assert "pem" not in written
    assert hashlib.sha256((tmp_path / "out" / written["file"]).read_bytes()).hexdigest() == written["fingerprint"]
    assert "error" in HostWrapper(secret_file="secret", out="/nonexistent")(fields)


def test_the_page_runs_on_dask(tmp_path: Path) -> None:
    """docs/transfer.md's program, as it stands, with a LocalCluster."""
    pytest.importorskip("distributed")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "transfer.md").read_text(), re.DOTALL)
    write_chain(tmp_path)
    private(tmp_path / "secret", SECRET)
    (tmp_path / "wrapped").mkdir()
    line = json.loads((tmp_path / "web-1.json").read_text())
    write(tmp_path / "hosts.jsonl", [{**line, "host": f"h{number}"} for number in range(50)] + [host("none")])
    (tmp_path / "page.py").write_text(block)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=240
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found = [json.loads(text) for text in ran.stdout.splitlines()]
    assert len(found) == 51
    assert ["error" in one for one in found].count(True) == 1
    assert len(list((tmp_path / "wrapped").glob("*.pem"))) == 50
