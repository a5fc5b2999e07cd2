"""The toolbox without a TPM: help, what is refused before anything is sent, secrets, `tpmwire show`."""

import json
import os
import re
from pathlib import Path

import pytest

from cli.keys.secret import hmac_key_of
from cli.terminal.messages import UsageError
from cli.toolbox import FAMILY_TEXTS, GROUPS, VERBS, verb_module
from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Tool, shell
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.keys.templates import hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.spec.constants import TPM_ALG

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"
SECRET = b"wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
NOWHERE = ("--tpm-path", "/tmp/no-such-tpm")
HANDLE = ("--persistent-handle", "0x81010002")

WIDTH = max(len(verb) for verb in VERBS if verb.split(" ", 1)[0] not in FAMILY_TEXTS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_with_an_example(
    verb: str, tool: Tool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        tool(*verb.split(), "--help")
    out = capfd.readouterr().out
    assert end.value.code == 0
    assert re.search(rf"^  .*\btpmwire {verb}\b", out, re.MULTILINE)
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "\nexit codes:\n  0      done\n" in out
    assert "SUPPRESS" not in out
    overview = tool("--help").out
    assert [line for line in overview.splitlines() if len(line) > 80] == []
    family = verb.split(" ", 1)[0]
    shown = family if family in FAMILY_TEXTS else verb
    assert f"  {shown:{WIDTH}}  {FAMILY_TEXTS.get(family, VERBS[verb])}" in re.sub(
        rf"\n {{{WIDTH + 4}}}", " ", overview
    )


def test_help_of_a_verb(tool: Tool, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["token", "eks"], ["pcr"]):
        with pytest.raises(SystemExit):
            tool(*words, "--help")
        expected = capfd.readouterr().out
        with pytest.raises(SystemExit):
            tool("help", *words)
        assert capfd.readouterr().out == expected
    assert tool("help").out == tool("--help").out
    assert tool("help", "token").out == tool("token", "--help").out
    assert "unknown verb 'flsh'; did you mean 'flush'?" in tool("help", "flsh").err


def test_help_names_the_variables_that_count(capfd: pytest.CaptureFixture[str], tool: Tool) -> None:
    def variables(*words: str) -> set[str]:
        with pytest.raises(SystemExit):
            tool(*words, "--help")
        found = re.search(r"^environment: ([A-Z0-9_,\s]+)$", capfd.readouterr().out, re.MULTILINE)
        return set(re.split(r",\s+", found[1].strip())) if found else set()

    assert variables("pcr") == {"TPMWIRE_TPM_PATH", "TPM2TOOLS_TCTI"}
    assert variables("spec") == {"NO_COLOR", "FORCE_COLOR"}
    assert variables("show") == set()
    assert {"TPM_KEY_AUTH", "AWS_PROFILE", "HTTPS_PROXY", "XDG_RUNTIME_DIR"} <= variables("sign")
    assert {"AWS_CONFIG_FILE", "TPM_OWNER_AUTH", "AWS_REGION"} <= variables("enroll")


def test_the_overview_lists_each_verb_once() -> None:
    modules = {path.stem for path in (ROOT / "cli" / "verbs").glob("*.py")} - {"__init__"}
    assert modules == {verb_module(verb).__name__.rpartition(".")[2] for verb in VERBS}
    assert len(VERBS) == sum(map(len, GROUPS.values()))
    assert all(verb_module(verb).__doc__ for verb in VERBS)


def test_a_verb_that_is_nearly_one(tool: Tool) -> None:
    ran = tool("flsh")
    assert (ran.code, "did you mean 'flush'?" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["eks-token"], "'token eks'"),
        (["rds-token"], "'token rds'"),
        (["ecr-login"], "'token ecr'"),
        (["codecommit"], "'token codecommit'"),
        (["token", "ekks"], "'token eks'"),
        (["tokne"], "'token'"),
    ],
)
def test_a_token_verb_is_suggested(tool: Tool, words: list[str], hint: str) -> None:
    ran = tool(*words, "--profile=work")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"; did you mean {hint}?" in ran.err


def test_token_lists_its_kinds(tool: Tool) -> None:
    shown = tool("token", "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(
        "usage: tpmwire token eks|rds|redshift-serverless|elasticache|memorydb|msk|bedrock|ecr|codecommit "
        "[options]\n"
    )
    assert f"token eks                  {VERBS['token eks']}" in shown.out
    for words in ([], ["--keyPass=hunter2"]):
        ran = tool("token", *words)
        assert (ran.code, ran.out) == (2, "")
        kinds = "eks, rds, redshift-serverless, elasticache, memorydb, msk, bedrock, ecr, codecommit"
        assert ran.err == f"tpmwire: token needs a subcommand: {kinds} (see tpmwire token --help)\n"


def test_without_stderr_nothing_is_said_on_stdout() -> None:
    assert shell("flsh", before="exec 2>&-")[:2] == (2, "")
    assert shell("decode", "zz", before="exec 2>&-")[:2] == (2, "")


def test_without_stdout_nobody_is_told_that_it_is_done() -> None:
    """Python's own print says nothing then, and fails in nothing."""
    ran = shell("decode", "80010000000c0000014400000000", before="exec >&-")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "standard output is closed" in ran.err


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("import",), SECRET, "no output; give --out FILE"),
        (("import", *HANDLE), b"", "the secret is empty"),
        (("import", *HANDLE), b"\n", "the secret is empty"),
        (("import", *HANDLE), b"AWS4AWS4" + SECRET, "begins with AWS4 twice"),
        (("import", *HANDLE), SECRET[:20] + b" " + SECRET[20:], "characters that an AWS secret cannot have"),
        (("import", *HANDLE), SECRET[:20] + b"\n" + SECRET[20:], "characters that an AWS secret cannot have"),
        (("import", *HANDLE), b"\n" + SECRET, "characters that an AWS secret cannot have"),
        (("import", *HANDLE), SECRET + "\u00e9".encode(), "characters that an AWS secret cannot have"),
        (("import", *HANDLE), SECRET * 4, "has 160 characters"),
        (("import", "--persistent-handle", "0x80000001"), SECRET, "is not a persistent handle"),
        (("import", "--out", "/tmp"), SECRET, "is a directory"),
        (("import", "--out", "/tmp/none/key.pem"), SECRET, "no such directory: /tmp/none"),
        (("import", *HANDLE, "--pcrs", "sha1:99"), SECRET, "invalid PCR 99"),
        (("import", *HANDLE, "--key-auth", "x" * 33), SECRET, "longer than 32 bytes"),
        (("import", *HANDLE, "--key-auth", "x", "--key-auth-prompt"), SECRET, "not allowed with"),
        (("import", *HANDLE, "--key-auth-file", "/tmp/none/p"), SECRET, "/tmp/none/p: No such file"),
        (("import", *HANDLE, "--tpm-session-encrypt-with-name", "12"), SECRET, "is not a valid Name"),
        (("persist", "x.pem"), b"", "required: HANDLE"),
        (("evict",), b"", "required: HANDLE"),
        (("flush", "--transient", "--sessions"), b"", "not allowed with"),
        (("name",), b"", "required: WHAT"),
        (("pcr", "1", "2"), b"", "unrecognized arguments"),
        (("pcr", ""), b"", "invalid PCR ''"),
    ],
)
def test_refused_before_a_tpm_is_asked(tool: Tool, words: tuple[str, ...], stdin: bytes, says: str) -> None:
    ran = tool(*words, *NOWHERE, stdin=stdin)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
    assert says in ran.err
    assert len(stdin) < 20 or stdin.decode() not in ran.err


def test_no_tpm(tool: Tool) -> None:
    for verb in (
        ("import", *HANDLE),
        ("list",),
        ("flush",),
        ("info",),
        ("pcr",),
        ("name", "srk"),
        ("evict", "0x81010002"),
    ):
        ran = tool(*verb, *NOWHERE, stdin=SECRET)
        assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
        assert SECRET.decode() not in ran.err


def test_the_prefix() -> None:
    assert hmac_key_of(SECRET).reveal() == hmac_key_of(SECRET + b"\r\n").reveal() == b"AWS4" + SECRET
    assert hmac_key_of(b"AWS4" + SECRET).reveal() == b"AWS4" + SECRET
    # As long as a secret is without: these four characters are its own.
    own = b"AWS4" + SECRET[:36]
    assert hmac_key_of(own).reveal() == b"AWS4" + own
    # One newline is what `echo` adds; two are a mistake.
    with pytest.raises(UsageError):
        hmac_key_of(SECRET + b"\n\n")


@pytest.mark.parametrize(("before", "says"), [("exec <&-", "closed"), ("exec </dev/null", "empty")])
def test_no_standard_input_for_send(before: str, says: str) -> None:
    ran = shell("send", "--json", "-", *NOWHERE, before=before)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"tpmwire: standard input is {says}; ")
    assert ran.err.count("\n") == 1


def test_no_standard_input() -> None:
    ran = shell("import", *HANDLE, *NOWHERE, before="exec <&-")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "tpmwire: standard input is closed; redirect it, or use --from-profile\n"


def test_a_profile_of_the_credentials_file(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    base = ("import", *HANDLE, *NOWHERE, "--from-profile")

    def says(profile: str) -> tuple[int, str]:
        ran = tool(*base, profile)
        assert (ran.out, ran.err.count("\n")) == ("", 1)
        assert SECRET.decode() not in ran.err
        return ran.code, ran.err

    missing = f"tpmwire: {credentials}: No such file or directory; set AWS_SHARED_CREDENTIALS_FILE\n"
    assert says("tpm") == (2, missing)
    credentials.write_text(f"[tpm]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET.decode()}\n")
    assert says("tpm")[0] == 3  # as far as the TPM that there is not
    code, text = says("other")
    assert (code, "in the profile [other]" in text) == (2, True)
    # configparser's own message would quote the line.
    credentials.write_text(f"[tpm]\n{SECRET.decode()}\n")
    assert says("tpm") == (
        2,
        f"tpmwire: {credentials}: not a valid AWS config file (line 2: expected KEY = VALUE); correct it first\n",
    )


def test_prompts_at_a_terminal_show_nothing_that_is_typed(tool: Tool, tmp_path: Path) -> None:
    with Swtpm() as swtpm:
        words = ["import", "--out", str(tmp_path / "key.pem"), "--key-auth-prompt", "--tpm-path", swtpm.path]
        code, shown = at_a_terminal(words, [SECRET, b"password", b"another"])
        assert (code, "the two passwords differ" in shown, os.listdir(tmp_path)) == (2, True, [])
        code, shown = at_a_terminal(words, [SECRET, b"password", b"password"])
        assert code == 0, shown
        assert shown.count("(not shown): ") == 3
        assert SECRET.decode() not in shown
        assert "): password" not in shown
        assert parse((tmp_path / "key.pem").read_bytes()).empty_auth is False


def test_show_json_is_the_fields(tool: Tool) -> None:
    for entry in json.loads((KEYS / "manifest.json").read_text()):
        ran = tool("show", KEYS / f"{entry['name']}.pem", "--json")
        assert json.loads(ran.out) == entry["fields"]


def shown(tool: Tool, file: KeyFile, tmp_path: Path) -> str:
    (tmp_path / "shown.pem").write_text(file.to_pem())
    ran = tool("show", tmp_path / "shown.pem")
    assert (ran.code, ran.err) == (0, "")
    return " ".join(ran.out.split())


def test_show_says_what_each_field_means(tool: Tool, tmp_path: Path) -> None:
    plain = parse((KEYS / "hmac.pem").read_bytes())
    text = shown(tool, plain, tmp_path)
    assert "type 2.23.133.10.1.3 loadable key" in text
    assert "parent 0x40000001 the owner hierarchy's standard ECC P-256 (H-2) primary" in text
    assert "kind HMAC key, SHA256" in text
    assert "userWithAuth: the password authorizes use" in text
    assert "authPolicy none" in text
    assert plain.privkey.hex() not in text
    for changes, says in (
        ({"parent": 0x81000001}, "parent 0x81000001 a persistent key"),
        (
            {"parent": 0x80000000},
            "parent 0x80000000 a transient handle, which is treated as: the owner hierarchy's",
        ),
        (
            {"parent": 0x4000000B, "rsa_parent": True},
            "the endorsement hierarchy's standard RSA 2048 (H-1) primary",
        ),
        ({"empty_auth": True}, "empty_auth yes"),
        ({"empty_auth": None}, "empty_auth not stated"),
        ({"description": "na\u00efve\x1b[31m"}, r"description 'na\xefve\x1b[31m'"),
        ({"type": "2.23.133.10.1.4", "secret": b"\0\2ab"}, "secret 4 bytes encrypted seed"),
        ({"policy": ((0x160, b"\1\2"),)}, "1. TPM2_PolicySigned 0102"),
        (
            {"policy": ((0x16B, b""), (0x7FF, b"\1"))},
            "1. TPM2_PolicyAuthValue Requires the object's authValue",
        ),
        ({"auth_policy": (("later", ((0x16B, b""),)),)}, "auth_policy later: 1. TPM2_PolicyAuthValue"),
        ({"policy": ()}, "policy no commands"),
    ):
        assert says in shown(tool, plain.replace(**changes), tmp_path)


def test_what_a_later_format_added_is_noted(tool: Tool, tmp_path: Path) -> None:
    """Once, by every verb that reads a key file, and shown."""
    key = KeyFile.of(
        hmac_key(), b"private", 0x40000001, later=(bytes.fromhex("a603020107"), bytes.fromhex("a7020500"))
    )
    (tmp_path / "later.pem").write_text(key.to_pem())
    ran = tool("show", tmp_path / "later.pem")
    note = f"tpmwire: note: {tmp_path}/later.pem has fields of a later format ([6], [7]), which are ignored\n"
    assert (ran.code, ran.err) == (0, note)
    assert "later         [6], [7]  fields of a later format: preserved but ignored" in ran.out
    assert tool("policy", tmp_path / "later.pem").err == note


def test_show_reads_a_key_inside_json(tool: Tool, tmp_path: Path) -> None:
    key = KeyFile.of(hmac_key(), b"private", 0x40000140)
    (tmp_path / "k.json").write_text(json.dumps({"name": "k", "key": key.to_pem()}))
    assert "parent        0x40000140" in tool("show", tmp_path / "k.json").out


def test_show_tells_whether_the_policy_is_the_keys(tool: Tool, tmp_path: Path) -> None:
    statement = PolicyPCR.of_values(TPM_ALG.SHA256, parse_pcrs("23"), {(TPM_ALG.SHA256, 23): bytes(32)})
    right, wrong = Policy(statement), Policy(statement, PolicyAuthValue())
    bound = KeyFile.of(hmac_key(right.digest()), b"private", 0x40000001, policy=right.to_steps())
    text = shown(tool, bound, tmp_path)
    assert f"1. TPM2_PolicyPCR sha256:23 digest {statement.pcr_digest.hex()}" in text
    assert f"authPolicy {right.digest().hex()} is the digest of the file's policy" in text
    assert "userWithAuth" not in text
    text = shown(tool, bound.replace(policy=wrong.to_steps()), tmp_path)
    assert f"authPolicy {right.digest().hex()} is NOT the digest of the file's policy" in text
    assert "the file does not contain this policy" in shown(tool, bound.replace(policy=None), tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_show_of_what_is_no_key(tool: Tool, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    ran = tool("show", tmp_path / "x")
    assert (ran.code, ran.out, ran.err.count("\n")) == (5, "", 1)
