"""What a whole run costs: `python -m tests.bench.start [--readme]`. BENCH_RUNS says how often (default 21).

Wall time, CPU time and peak memory of processes, run in turn so that the machine's other work falls on all alike:
medians, and medians of the ratios of each turn. The single file is measured first, as README.md recommends it,
then the same as pip installs it. GO_ORIGINAL names a binary of the Go program, which then runs in the same turns.
Without it, recorded figures of another machine are printed. --readme writes the table of README.md.

The TPM is swtpm. The STS answers at once, under TLS, and acknowledges late, as Go's servers do. It is behind a
proxy, because the Go program has a fixed endpoint. The system's CA certificates are those of this machine, with
one for the STS.
"""

import argparse
import compileall
import importlib.util
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
import textwrap
import venv
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.support import keys
from tests.support.certificates import Authority
from tests.support.processes import Command, Usage, measure
from tests.support.programs import CREDENTIAL_PROCESS, KEY_ID, ROOT, SECRET
from tests.support.relay import TlsRelay, connect_to
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tests.support.swtpm import Swtpm, tpm2

RUNS = int(os.environ.get("BENCH_RUNS", "21"))
STS = "sts.amazonaws.com"

# The Go program, commit 497f983, on swtpm 0.7.1, medians of another machine with 2 cores: wall ms, CPU ms, MiB.
RECORDED = {"in clear": Usage(21, 19, 11.7), "its encrypted option": Usage(211, 21, 11.8)}

PYTHON, CONSTRUCT, TLS = "python -I -c pass", "python -c 'import construct'", "python: construct, a TLS handshake"
GO, GO_ENCRYPTED = "Go: handle, in clear", "Go: handle, its encrypted option"
HANDSHAKE = """
import construct, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
    context.wrap_socket(plain, server_hostname="127.0.0.1")
"""
FILE, PACKAGE = "single file", "installed"
COLD, COLD_CLEAR = "handle, encrypted (default)", "handle, in clear"
WARM, WARM_CLEAR = "handle, encrypted, warm cache", "handle, in clear, warm cache"
MISSING, REFUSED = "no TPM", "wrong password"

BEGIN, END = "<!-- python -m tests.bench.start --readme -->", "<!-- end -->"
"""The marks around the table in README.md."""

LIMITS = {
    (FILE, WARM): (CONSTRUCT, 1.3),
    (FILE, WARM_CLEAR): (CONSTRUCT, 1.3),
    (FILE, COLD): (TLS, 1.3),
    (FILE, COLD_CLEAR): (TLS, 1.3),
    (PACKAGE, WARM): (CONSTRUCT, 1.3),
    (PACKAGE, WARM_CLEAR): (CONSTRUCT, 1.3),
    (PACKAGE, COLD): (TLS, 1.3),
    (PACKAGE, COLD_CLEAR): (TLS, 1.3),
}
"""What no run of ours can do without, and how many times its CPU time a run takes at most."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--readme", action="store_true", help="write the table of README.md, too")
    readme = parser.parse_args().readme
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tpm = stack.enter_context(Swtpm("tcp"))
        keys.make_keys(tpm, SECRET, home)
        # Else a few runs with a wrong password would lock the TPM.
        tpm2(tpm, "dictionarylockout", "--setup-parameters", "--max-tries=1000000", "--recovery-time=1")
        sts = stack.enter_context(ScriptedServer(say(http("200 OK", STS_ANSWER))))
        authority = Authority(home, "bench")
        certificate = authority.server_certificate(STS, "127.0.0.1")
        relay = stack.enter_context(TlsRelay(("127.0.0.1", sts.port), certificate))
        proxy = stack.enter_context(ScriptedServer(lambda client, _request: connect_to(relay.port, client)))
        environment = {
            "PATH": f"{Path(sys._base_executable).parent}:{os.environ['PATH']}",  # type: ignore[attr-defined]
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "HTTPS_PROXY": proxy.endpoint,
        }
        commands = {
            PYTHON: Command([sys.executable, "-I", "-c", "pass"], environment),
            **_ours(home, tpm, environment | {"SSL_CERT_DIR": str(_hashed(home / "certs", authority.bundle))}),
            CONSTRUCT: Command([sys.executable, "-c", "import construct"], environment),
            TLS: Command([sys.executable, "-c", HANDSHAKE, str(relay.port), str(authority.bundle)], environment),
            **_go(home, tpm, environment, authority.bundle),
        }
        figures = measure(commands, RUNS)
    print(_text(figures))
    if readme:
        page = ROOT / "README.md"
        before, _, rest = page.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"README.md has no {BEGIN} and {END}")
        page.write_text(f"{before}{BEGIN}\n\n{_markdown(figures)}\n\n{END}{after}")


def _ours(home: Path, tpm: Swtpm, environment: dict[str, str]) -> dict[str, Command]:
    """Returns our runs, by the single file and as an installed package."""
    file = home / "tpmwire.pyz"
    subprocess.run([sys.executable, ROOT / "tools" / "zipapp.py", file], check=True, stdout=subprocess.DEVNULL)
    artefacts = {FILE: [str(file), CREDENTIAL_PROCESS], PACKAGE: [str(_install(home / "venv"))]}
    common = [f"--aws-access-key-id={KEY_ID}"]
    here, handle = [*common, f"--tpm-path={tpm.path}"], f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
    clear = "--no-session-encryption"
    found = {}
    for artefact, start in artefacts.items():
        words = {
            COLD: [*here, handle],
            COLD_CLEAR: [*here, handle, clear],
            WARM: [*here, handle, "--cache"],
            WARM_CLEAR: [*here, handle, clear, "--cache"],
            REFUSED: [*here, f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", "--keyPass=wrong"],
            MISSING: [*common, handle, "--tpm-path=/dev/tpm-missing"],
        }
        codes = {REFUSED: 4, MISSING: 3}
        for name, options in words.items():
            # A run that fails sends no request, and the proxy is there for the Go program only.
            settings = {
                key: value for key, value in environment.items() if key != "HTTPS_PROXY" or name not in codes
            }
            found[f"{artefact}: {name}"] = Command([*start, *options], settings, codes.get(name, 0))
    return found


def _install(directory: Path) -> Path:
    """Returns the program in a new environment that has what pip would install, with bytecode."""
    venv.create(directory, symlinks=True)
    packages = next((directory / "lib").glob("python*")) / "site-packages"
    for name in ("cli", "sigv4", "tpmwire"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tpmwire_programs.py", packages)
    construct = importlib.util.find_spec("construct")
    assert construct is not None
    assert construct.origin is not None
    shutil.copytree(Path(construct.origin).parent, packages / "construct")
    compileall.compile_dir(packages, quiet=2)
    program = directory / "bin" / CREDENTIAL_PROCESS
    program.write_text(
        f"#!{directory}/bin/python\nimport sys\nfrom tpmwire_programs import credential_process\n"
        "sys.exit(credential_process())\n"
    )
    program.chmod(0o755)
    return program


def _hashed(directory: Path, bundle: Path) -> Path:
    """Returns a directory with the system's CA certificates and that of the STS, as `openssl rehash` makes it."""
    directory.mkdir()
    for number, path in enumerate(_system_certificates().glob("*.0")):
        shutil.copy(path, directory / f"{number}.pem")
    shutil.copy(bundle, directory / "sts.pem")
    subprocess.run(["openssl", "rehash", str(directory)], check=True, capture_output=True)
    return directory


def _system_certificates() -> Path:
    return Path(ssl.get_default_verify_paths().capath or "/etc/ssl/certs")


def _go(home: Path, tpm: Swtpm, environment: dict[str, str], bundle: Path) -> dict[str, Command]:
    """Returns the runs of the Go program, if its binary is given; it reads CA certificates from one file."""
    program = os.environ.get("GO_ORIGINAL")
    if not program:
        return {}
    everything = home / "everything.pem"
    system = [path.read_bytes() for path in _system_certificates().glob("*.0")]
    everything.write_bytes(b"\n".join([*system, bundle.read_bytes()]))
    empty = home / "empty"
    empty.mkdir()
    settings = environment | {"SSL_CERT_FILE": str(everything), "SSL_CERT_DIR": str(empty)}
    argv = [
        program,
        f"--tpm-path={tpm.path}",
        f"--aws-access-key-id={KEY_ID}",
        "--aws-region=us-east-1",
        "--aws-session-name=bench",
        f"--persistentHandle={keys.PLAIN_HANDLE}",
    ]
    name = subprocess.run(
        [sys.executable, "-m", "cli.toolbox", "name", "ek-rsa", f"--tpm-path={tpm.path}", "--timeout=60s"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return {
        GO: Command(argv, settings),
        GO_ENCRYPTED: Command([*argv, f"--tpm-session-encrypt-with-name={name}"], settings),
    }


Figures = dict[str, list[Usage]]


def _times(figures: Figures, name: str, base: str, *, wall: bool) -> float:
    """Returns the median of the ratios of each turn."""
    pairs = zip(figures[name], figures[base], strict=True)
    return median((a.wall / b.wall) if wall else (a.cpu / b.cpu) for a, b in pairs)


def _medians(rows: list[Usage]) -> Usage:
    return Usage(*(median(column) for column in zip(*rows, strict=True)))


def _least(rows: list[Usage]) -> Usage:
    """Returns the least of each column, in which the other work of the machine shows least."""
    return Usage(*(min(column) for column in zip(*rows, strict=True)))


def _text(figures: Figures) -> str:
    lines = [f"whole processes, medians of {RUNS} turns, {_machine()}"]
    compared = GO in figures
    lines.append(f"{'':44}{'wall ms':>9}{'CPU ms':>9}{'MiB':>7}{'x Go, wall':>12}{'CPU':>7}")
    for name, rows in figures.items():
        wall, cpu, memory = _medians(rows)
        go = [_times(figures, name, GO, wall=each) for each in (True, False)] if compared else []
        ratios = "".join(f"{ratio:{width}.1f}" for ratio, width in zip(go, (12, 7), strict=False))
        lines.append(f"{name:44}{wall:9.1f}{cpu:9.1f}{memory:7.1f}{ratios}")
    for (artefact, run), (base, most) in LIMITS.items():
        times = _times(figures, f"{artefact}: {run}", base, wall=False)
        verdict = "" if times <= most else ": NOT reached"
        lines.append(f"{artefact}: {run}: {times:.2f} times the CPU of '{base}' (at most {most}){verdict}")
    for run in (COLD, WARM):
        times = _times(figures, f"{FILE}: {run}", f"{PACKAGE}: {run}", wall=False)
        lines.append(f"{run}: the single file takes {times:.2f} times the CPU of the installed package")
    if not compared:
        lines.append("GO_ORIGINAL names no binary; the Go program, recorded on another machine:")
        lines += [f"{name:44}{row.wall:9.1f}{row.cpu:9.1f}{row.memory:7.1f}" for name, row in RECORDED.items()]
    return "\n".join(lines)


def _markdown(figures: Figures) -> str:
    """Returns the table of README.md: runs of the single file, and of the Go program."""
    compared = GO in figures
    title = "| `aws-tpm-process-credential`, single file | wall | CPU | memory |"
    lines = [title + (" wall × Go |" if compared else ""), "|---|---|---|---|" + ("---|" if compared else "")]
    for name, rows in figures.items():
        if not name.startswith((FILE, "Go")):
            continue
        wall, cpu, memory = _least(rows)
        ratio = f" {_times(figures, name, GO, wall=True):.1f} |" if compared else ""
        label = name.removeprefix(f"{FILE}: ").replace("Go:", "the Go program:")
        lines.append(f"| {label} | {wall:.0f} ms | {cpu:.0f} ms | {memory:.0f} MiB |{ratio}")
    start = _least(figures[PYTHON])
    ratio = f" {_times(figures, PYTHON, GO, wall=True):.1f} |" if compared else ""
    lines.append(
        f"| Python's start alone | {start.wall:.0f} ms | {start.cpu:.0f} ms | {start.memory:.0f} MiB |{ratio}"
    )
    compare = "; × Go is the median of the ratios of wall time in each turn" if compared else ""
    text = f"The least of {RUNS} turns of `make bench`{compare}. {_machine()}"
    return "\n".join([*lines, "", *textwrap.wrap(text, 125)])


def _machine() -> str:
    model = next(
        (line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    count = len(list(_system_certificates().glob("*.0")))
    # `chrt --rr 10` before the command keeps other programs of a busy machine out of the wall times.
    ahead = ", at real-time priority" if os.sched_getscheduler(0) != os.SCHED_OTHER else ""
    return (
        f"Python {platform.python_version()}, swtpm, {os.cpu_count()} cores ({model}) with a load of "
        f"{os.getloadavg()[0]:.0f}{ahead}. The STS answers at once under TLS; the system has {count} CA "
        "certificates."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
