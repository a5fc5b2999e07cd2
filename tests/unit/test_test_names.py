"""The rule by which a module's tests are found (CONTRIBUTING.md, "Tests"): by the name of the test file."""

from itertools import chain

from cli.toolbox import VERBS
from tests.support.programs import ROOT

FILES = sorted((ROOT / "tests").rglob("test_*.py"))

# Files that test no single module, and what each of these names stands for.
TOPICS = {
    "again": "repetition of failed tests in .ci/run",
    "architecture": "who may import whom",
    "chips": "tests/bench/chips.py",
    "cli": "all verbs and options together",
    "completions": "tools/completions.py",
    "demo": "tools/demo.py",
    "exec_serve": "exec --serve",
    "docstring_examples": "examples in docstrings",
    "site": "mkdocs.yml, tools/site*.py",
    "manpages": "tools/manpages.py",
    "readme": "README.md",
    "questions_page": "docs/questions.md",
    "warnings": "warnings of every program",
    "docs": "documents",
    "commit_subject": "tools/commit_subject.py",
    "recipes": "docs/architecture.md",
    "coverage": "docs/coverage.md",
    "examples": "examples/",
    "faults": "docs/faults.md",
    "library": "docs/library.md",
    "sdks": "docs/sdks.md",
    "tasks": "docs/tasks.md",
    "threats": "docs/security.md",
    "tour": "docs/tour",
    "fuzz": "tests/fuzz",
    "fields": "tests/differential",
    "names": "tests/differential",
    "recorded": "tests/differential",
    "installed_programs": "programs of the wheel, the checkout and the zipapp",
    "no_home": "runs without HOME",
    "json_output": "--json of every verb",
    "installers": "the wheel by pip, pipx and uv",
    "makefile": "Makefile and .ci/packages",
    "single_file": "the single file on a Python without packages",
    "language": "messages and help texts in plain English",
    "public_names": "names for programs that import the packages",
    "release": "tools/release.py",
    "info_185": "`tpmwire info` for version 1.85",
    "ek_mlkem": "ML-KEM endorsement keys, in every verb",
    "ek_templates": "EK templates by name, in send and ek",
    "send_saved": "results that `tpmwire send --save` keeps between runs",
    "send_flow": "values that flow between commands of `tpmwire send`",
    "signals": "signals and limits of every program",
    "signing": "sign, presign and curl together",
    "swtpm_support": "tests/support/swtpm.py",
    "test_names": "this file",
    "hints": "hints about options in errors",
    "verb_settings": "settings classes of the verbs",
    "rootfs": "tools/rootfs.py",
    "zipapp": "tools/zipapp.py",
    "container": "packaging/container",
    "deb": "packaging/debian",
    "distributions": "recipes in packaging",
    "device": "the single file on Debian's kernel",
    "without_hmac": "a TPM without TPM2_HMAC, under Debian's kernel",
    "cipher_changed": "an attacker on the bus changes encrypted parameters",
    "interposer": "an attacker on the bus changes commands and responses",
    "cleared": "a TPM that was cleared",
    "lacking": "TPMs without common algorithms",
    "lockout": "dictionary attack lockout",
    "name_hashes": "keys whose nameAlg is not SHA-256",
    "passwords_guessed": "password guessing from recordings",
    "salted_sessions": "salted sessions, from crypto/salt.py to channel.py",
}


def names_of_modules() -> set[str]:
    """Returns each module's name, alone and with its packages in front; a verb's name ends in `_verb`."""
    names = set()
    for path in chain.from_iterable((ROOT / package).rglob("*.py") for package in ("tpmwire", "sigv4", "cli")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if path.parent == ROOT / "cli" / "verbs":
            names.add(f"{parts[-1].removesuffix('_')}_verb")
        else:
            names |= {"_".join(parts[start:]) for start in range(len(parts))}
    return names


def subject_of(stem: str, subjects: set[str]) -> str | None:
    """Returns the longest subject that a test file's name begins with; None if it begins with none."""
    name = stem.removeprefix("test_")
    return max((s for s in subjects if name == s or name.startswith(f"{s}_")), key=len, default=None)


def test_each_test_file_is_named_after_what_it_tests() -> None:
    subjects = names_of_modules() | {f"{verb.split()[0].replace('-', '_')}_verb" for verb in VERBS} | set(TOPICS)
    assert [path.name for path in FILES if not subject_of(path.stem, subjects)] == []
    assert subject_of("test_nothing_of_that_name", subjects) is None


def test_no_two_test_files_have_one_name() -> None:
    assert len({path.name for path in FILES}) == len(FILES)


def test_each_topic_has_a_file() -> None:
    assert {topic for topic in TOPICS if not any(subject_of(path.stem, {topic}) for path in FILES)} == set()
