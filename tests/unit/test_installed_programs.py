"""The programs as they are installed: from a wheel, from the checkout, as the single file. The caller's PYTHONPATH
and working directory bring in no module, and Ctrl-C while modules are loaded ends in one line."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import construct
import pytest

from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, write_program

ROOT = Path(__file__).parents[2]
HERE = Path(sys.executable).parent
MODULES = ("cli.credential_process", "cli.toolbox", "tpmwire_programs")
FORMS = ("wheel", "editable", "single file")
OURS = ("cli", "sigv4", "tpmwire", "tools", "tests", "construct", "cryptography", "rich")
RUN = (CREDENTIAL_PROCESS, ["--aws-access-key-id=AKIAMADEUP", "--tpm-path=/nonexistent"], 3)
RUNS = [
    RUN,
    (TOOLBOX, ["list", "--tpm-path=/nonexistent"], 3),
    (TOOLBOX, ["decode", "80010000000c000001440000"], 0),
    (TOOLBOX, ["completion", "bash"], 0),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a virtual environment into which pip has put our wheel."""
    place = tmp_path_factory.mktemp("installed")
    _quietly("-m", "hatchling", "build", "-t", "wheel", "-d", str(place))
    _quietly("-m", "venv", "--without-pip", str(place / "venv"))
    (wheel,) = place.glob("*.whl")
    python = place / "venv" / "bin" / "python"
    _quietly("-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    (site,) = (place / "venv" / "lib").glob("python*/site-packages")
    (site / "construct").symlink_to(Path(construct.__file__).parent)
    return place / "venv" / "bin"


@pytest.fixture(scope="module")
def single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist") / "tpmwire.pyz"
    _quietly(str(ROOT / "tools" / "zipapp.py"), str(path))
    return path


@pytest.fixture(params=FORMS)
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Path]:
    if request.param == "wheel":
        return _in(request.getfixturevalue("installed"))
    if request.param == "editable":
        return _in(HERE)
    for name in (CREDENTIAL_PROCESS, TOOLBOX):
        (tmp_path / name).symlink_to(request.getfixturevalue("single_file"))
    return _in(tmp_path)


def _in(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in (CREDENTIAL_PROCESS, TOOLBOX)}


def _quietly(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Path]:
    """Modules with the name of every module that could be imported; each that is leaves a file in ran/."""
    folder, ran = tmp_path / "theirs", tmp_path / "ran"
    folder.mkdir()
    ran.mkdir()
    for name in {*sys.stdlib_module_names, *OURS} - _before_our_first_line():
        (folder / f"{name}.py").write_text(f"open({str(ran / name)!r}, 'w').close()\n")
    yield folder
    assert os.listdir(ran) == []


def _before_our_first_line() -> set[str]:
    """What Python loads by itself, with the .pth files of this machine; the scripts of older pips import re."""
    code = "import re, sys; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([HERE / "python", "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("where", ["PYTHONPATH", "working directory"])
def test_nothing_of_the_callers_is_imported(programs: dict[str, Path], theirs: Path, where: str) -> None:
    variables = {"PYTHONPATH": f"{theirs}" if where == "PYTHONPATH" else ":", "PYTHONSAFEPATH": ""}
    for name, words, code in (*RUNS, (TOOLBOX, ["fetch", "/nonexistent"], 7)):
        done = _run(programs[name], *words, cwd=theirs if where == "working directory" else None, **variables)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1 if code else 0), done.stderr


def _run(
    program: Path, *words: str, cwd: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": f"{HERE}:{os.environ['PATH']}", "HOME": "/nonexistent", **variables}
    return subprocess.run([program, *words], check=False, capture_output=True, text=True, cwd=cwd, env=environment)


def test_what_only_pythonpath_has_is_found_there(tmp_path: Path, installed: Path) -> None:
    """As with `pip install --target`, and with environment modules."""
    (site,) = (installed.parent / "lib").glob("python*/site-packages")
    script = tmp_path / TOOLBOX
    script.write_text(f"#!{os.path.realpath(sys.executable)}\n" + (installed / TOOLBOX).read_text())
    script.chmod(0o755)
    assert _run(script, "--version").returncode == 1
    done = _run(script, *RUNS[2][1], PYTHONPATH=str(site))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_wheel_has_the_programs_and_nothing_else(installed: Path) -> None:
    (record,) = (installed.parent / "lib").glob("python*/site-packages/tpmwire-*.dist-info/RECORD")
    names = {line.partition("/")[0].partition(",")[0] for line in record.read_text().splitlines()}
    assert {name for name in names if not name.endswith(".dist-info")} - {"..", "__pycache__"} == {
        "cli",
        "sigv4",
        "tpmwire",
        "tpmwire_programs.py",
    }


def test_the_single_file_ignores_what_is_pythons_own_in_the_environment(single_file: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.exit('the caller ran')")
    done = _run(single_file, "--version", PYTHONPATH=str(tmp_path), PYTHONHOME="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")


# The signal comes when the N-th import begins, counted from that of our own packages.
SIGNAL_AT = """
import os, signal, sys
left = {count}
started = False
def count(event, arguments):
    global left, started
    started = started or event == "import" and arguments[0] == "cli"
    if event == "import" and started:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(count)
"""


@pytest.mark.parametrize("form", ["script", "single file"])
@pytest.mark.parametrize(("name", "words", "code"), RUNS)
def test_ctrl_c_while_modules_are_loaded_is_one_line(
    tmp_path: Path, single_file: Path, form: str, name: str, words: list[str], code: int
) -> None:
    program, hook = tmp_path / name, tmp_path / "sitecustomize.py"
    if form == "script":
        write_program(tmp_path, name)
    else:
        # Without its own start, which ignores PYTHONPATH.
        program.symlink_to(single_file)
        program, words = Path(sys.executable), [str(program), *words]
    count, codes = 1, []
    while codes[-1:] != [code]:
        hook.write_text(SIGNAL_AT.format(count=count))
        # Bytecode of the hook could be that of the run before, if both were written in the same second.
        done = _run(program, *words, PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
        codes.append(done.returncode)
        if done.returncode != code:
            assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{name}: interrupted\n"), count
        count += 7
    assert len(codes) > 5


# Files that any Python 3 reads before it is refused, and what they may not evaluate there: `list[str] | None`.
FIRST = ("cli/__init__.py", "tpmwire_programs.py")
OLD = """
import collections, sys
sys.version_info = collections.namedtuple("Version", "major minor micro")(3, 9, 2)
"""
REFUSAL = "tpmwire needs Python 3.11 or newer; this is 3.9.2\n"


@pytest.mark.parametrize("name", FIRST)
def test_an_old_python_can_read_the_first_files(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            hints = [node.returns, *(argument.annotation for argument in node.args.args)]
            assert all(hint is None or isinstance(hint, (ast.Constant, ast.Name)) for hint in hints), node.name


@pytest.mark.parametrize(
    "program", [f"import runpy; runpy.run_module({name!r}, run_name='__main__')" for name in MODULES]
)
def test_an_old_python_is_refused_in_one_line(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OLD + program], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", REFUSAL)


def test_an_old_python_is_refused_by_the_single_file(single_file: Path) -> None:
    program = f"import runpy; runpy.run_path({str(single_file)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", OLD + program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", REFUSAL)


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_old_pythons_of_this_machine(single_file: Path, version: str) -> None:
    python = f"python{version}"
    try:
        subprocess.run([python, "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"there is no {python} here")
    for words in ([str(single_file)], *(["-m", name] for name in MODULES)):
        done = subprocess.run([python, "-B", *words], check=False, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(rf"tpmwire needs Python 3\.11 or newer; this is {version}\.\d+\n", done.stderr)


@pytest.mark.parametrize("name", MODULES)
def test_modules_run_as_the_programs_do(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", name, "--version"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    program = CREDENTIAL_PROCESS if name == "cli.credential_process" else TOOLBOX
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, program, "")
    done = subprocess.run(
        [sys.executable, "-m", name, "--no-such"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
