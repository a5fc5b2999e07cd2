"""`tpmwire send`: results that flow, scripts, and files that tpm2-tools wrote or read."""

import json
from pathlib import Path

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held


def test_names_of_results_and_values_as_json(swtpm: Swtpm, send: Tool) -> None:
    words = ["CreatePrimary", "--save", "p", "+", "Create", "$p", "ecc:ecdsa", "+", "Load", "--save", "k", "+"]
    ran = send("--format", "values-json", *words, "ReadPublic", "$k")
    assert ran.code == 0
    primary, made, loaded, read = json.loads(ran.out)
    assert (primary["name"], loaded["name"], made["number"]) == ("p", "k", 2)
    assert read["values"]["name"] == loaded["values"]["name"]
    assert read["values"]["outPublic"] == made["values"]["outPublic"]
    assert held(swtpm) == ""


def test_tpm2_tools_read_what_send_wrote(swtpm: Swtpm, send: Tool, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"hello")
    ran = send(
        *["CreatePrimary", f"context=@{tmp_path}/p.ctx", "+", "Create", "ecc:ecdsa-sha256"],
        *[f"outPublic=@{tmp_path}/k.pub", f"outPrivate=@{tmp_path}/k.priv", "+", "Load"],
        *["+", "Sign", f"message=@{tmp_path}/m", f"signature=@{tmp_path}/sig"],
    )
    assert ran.code == 0
    tpm2(swtpm, "load", "-C", "p.ctx", "-u", "k.pub", "-r", "k.priv", "-c", "k.ctx", cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")
    tpm2(swtpm, "verifysignature", "-c", "k.ctx", "-g", "sha256", "-m", "m", "-s", "sig", cwd=tmp_path)
    tpm2(swtpm, "flushcontext", "-t")


def test_send_reads_what_tpm2_tools_wrote(swtpm: Swtpm, send: Tool, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"hello")
    for words in (
        ["createprimary", "-G", "ecc", "-c", "p.ctx"],
        ["create", "-C", "p.ctx", "-G", "ecc", "-u", "k.pub", "-r", "k.priv"],
        ["load", "-C", "p.ctx", "-u", "k.pub", "-r", "k.priv", "-c", "k.ctx"],
        ["sign", "-c", "k.ctx", "-g", "sha256", "-o", "sig", "m"],
    ):
        tpm2(swtpm, *words, cwd=tmp_path)
        tpm2(swtpm, "flushcontext", "-t")
    at = f"@{tmp_path}/"
    words = [f"{at}p.ctx", f"{at}k.pub", f"{at}k.priv", "+", "VerifySignature", f"message={at}m"]
    assert send("Load", *words, f"signature={at}sig").code == 0
    assert send("Sign", f"{at}k.ctx", f"message={at}m").code == 0
    assert held(swtpm) == ""


def test_a_script_stops_at_its_first_error(swtpm: Swtpm, send: Tool, tmp_path: Path) -> None:
    script = tmp_path / "lesson.tpm"
    script.write_text("# random bytes\nr = GetRandom 8\n\nshow $r\nGetRandm 8\nGetRandom 4\n")
    ran = send("--format", "values", "-f", script)
    assert ran.code == 2
    assert f"{script}, line 5: unknown command 'GetRandm'; did you mean GetRandom" in ran.err
    assert ran.out.count("randomBytes: ") == 2
    stdin = send("--format", "values", "-f", "-", stdin=b"CreatePrimary\nUnseal\n")
    assert stdin.code == 4
    assert held(swtpm) == ""


def test_the_salt_is_shown_on_request(send: Tool) -> None:
    assert "# salt of session 0x02" in send("--session", "salted", "--show-salt", "GetRandom", "8").out
    assert "salt of session" not in send("--session", "salted", "GetRandom", "8").out
