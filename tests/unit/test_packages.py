"""A package that is not installed, as beside the single file: one line that names it, before anything is asked."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.terminal.messages import guarded
from cli.terminal.packages import FLOORS
from tests.support.programs import ROOT
from tests.support.verbs import Tool


def test_sigv4a_is_refused_before_tpm_and_secret_are_asked(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    places = [f"--out={tmp_path / 'key.pem'}", f"--sigv4a-out={tmp_path / 'v4a.pem'}"]
    done = tool("import", *places, "--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent/tpm")
    wanted = f"tpmwire: the Python package `cryptography` is not installed for {sys.executable}"
    assert (done.code, done.out) == (1, "")
    advice = "install it with pip or your distribution (Debian: apt install python3-cryptography)"
    assert done.err == f"{wanted}; {advice}\n"


def test_rotate_asks_iam_for_no_key_of_which_half_could_not_be_made(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text(
        "[profile work]\ncredential_process = aws-tpm-process-credential --aws-access-key-id=AKIAMADEUP "
        "--tpm-path=/nonexistent/tpm\n"
    )
    done = tool("rotate", "--profile=work", f"--sigv4a-out={tmp_path / 'v4a.pem'}")
    assert (done.code, done.out) == (1, "")
    assert "the Python package `cryptography` is not installed" in done.err


def told(capfd: pytest.CaptureFixture[str], error: Exception) -> str:
    """What `guarded` says of an error whose exit code is 1."""

    def work() -> int:
        raise error

    assert guarded("tpmwire", work) == 1
    return capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            ModuleNotFoundError("No module named 'cli.x'", name="cli.x"),
            "the installation is incomplete: No module",
        ),
        (
            ModuleNotFoundError("No module named 'rich'", name="rich"),
            "the Python package `rich` is not",
        ),
        (
            ModuleNotFoundError("No module named 'http'", name="http"),
            "has no module `http`; install all of Python",
        ),
        (
            ImportError("libssl.so.3: file too short", name="_ssl"),
            "cannot load `_ssl` (libssl.so.3: file too short)",
        ),
        (ImportError("undefined symbol", name="cryptography.hazmat.bindings._rust"), "`cryptography` of "),
    ],
)
def test_what_cannot_be_imported_is_named(capfd: pytest.CaptureFixture[str], error: Exception, says: str) -> None:
    line = told(capfd, error)
    assert (says in line, line.count("\n")) == (True, 1)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name 'ExtensionPolicy'", name="cryptography.x509.verification"),
        AttributeError("'Certificate' object has no attribute 'not_valid_after_utc'"),
        TypeError("load() missing 1 required positional argument: 'backend'"),
    ],
)
def test_a_package_that_is_too_old_is_named_with_both_versions(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import cryptography

    monkeypatch.setattr(cryptography, "__version__", "3.4.8")
    line = told(capfd, error)
    floor = ".".join(map(str, FLOORS["cryptography"]))
    assert line == (
        f"tpmwire: the Python package `cryptography` of {sys.executable} is 3.4.8, older than {floor}; "
        "upgrade it\n"
    )


def test_a_package_that_fails_with_a_newer_one_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    """As pyOpenSSL 22 does with cryptography 42, while it is imported."""
    code = compile("raise AttributeError(\"module 'lib' has no attribute 'GEN_EMAIL'\")", "crypto.py", "exec")
    with pytest.raises(AttributeError) as raised:
        exec(code, {"__name__": "OpenSSL.crypto"})
    line = told(capfd, raised.value)
    assert "`pyOpenSSL` of " in line
    assert line.endswith("does not work (module 'lib' has no attribute 'GEN_EMAIL'); upgrade it\n")


def test_floors_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wanted = {f"{name}>={'.'.join(map(str, version))}" for name, version in FLOORS.items()}
    assert set(project["dependencies"]) == {one.replace("OpenSSL", "pyOpenSSL") for one in wanted}


OPTIONAL = (
    "asn1crypto",
    "boto3",
    "botocore",
    "cryptography",
    "dilithium_py",
    "distributed",
    "dpkt",
    "kyber_py",
    "OpenSSL",
    "prompt_toolkit",
    "rich",
    "textual",
)


def test_verbs_are_imported_without_optional_packages() -> None:
    """A verb imports a package when an option needs it, so that the others work on a minimal host."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL}))\n"
        "from cli.toolbox import VERBS, verb_module\n"
        "for verb in VERBS: verb_module(verb)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_programs_are_imported_without_a_module_of_full_pythons() -> None:
    """Debian's python3-minimal lacks resource; the program has to be there to say so in one line."""
    code = "import sys; sys.modules['resource'] = None; import cli.credential_process, cli.toolbox"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


REQUIREMENTS = (ROOT / "docs" / "requirements.md").read_text()


def test_the_page_of_requirements_names_each_module_with_an_optional_package() -> None:
    """An optional package is imported, by a statement or by import_module, at the head of a module or later."""
    found: dict[str, set[str]] = {}
    for path in (path for package in ("cli", "sigv4", "tpmwire") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
                names = [ast.literal_eval(node.args[0])] if isinstance(node.args[0], ast.Constant) else []
            for name in {name.partition(".")[0] for name in names} & set(OPTIONAL):
                found.setdefault(path.relative_to(ROOT).as_posix(), set()).add(name)
    rows = re.findall(r"^\| .* \| (.*) \| `(\w+/\S+)` \|$", REQUIREMENTS, re.M)
    named = {
        place: {name.replace("-", "_") for name in re.findall(r"`([\w-]+)`", packages)} & {*OPTIONAL, "pyOpenSSL"}
        for packages, place in rows
    }
    assert {place: {name.replace("pyO", "O") for name in names} for place, names in named.items()} == {
        place: names - {"botocore"} for place, names in found.items()
    }


def test_the_page_of_requirements_has_the_floors() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", REQUIREMENTS, re.M)
    assert {name.replace("pyO", "O"): version for name, version in rows} == {
        name: ".".join(map(str, version)) for name, version in FLOORS.items()
    }
