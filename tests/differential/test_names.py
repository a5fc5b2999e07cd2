"""The list that docs/coverage.md is measured by has every name of Part 2 that other stacks have."""

import re
import subprocess
from importlib import import_module
from pkgutil import iter_modules

import tpmstream.spec.structures as theirs

from tests.differential.jobs import DEBIAN
from tools.coverage import PART_2
from tpmwire.explain.table import kinds
from tpmwire.explain.texts.other_names import OTHER_NAMES, UNDECLARED

NAME = re.compile(r"TPM(2B|[AILSTU])_[A-Z0-9_]+$")
# Names in the TCG's form that are a vendor's or tpm2-tss's own: the first in 3.2, all in 4.1.
OWN = {"TPML_INTEL_PTT_PROPERTY", "TPM2B_MAX_CAP_BUFFER", "TPML_PCRVALUES", "TPMS_PCRVALUE"}
LISTED = {name for names in PART_2.values() for name in names.split()}
DECLARED = {name for group in kinds().values() for name in group}


def test_tpmstreams_names() -> None:
    names = {
        name
        for module in iter_modules(theirs.__path__)
        for name in vars(import_module(f"{theirs.__name__}.{module.name}"))
        if NAME.match(name)
    }
    assert len(names) > 150
    assert names - LISTED == set()


def test_tpm2_tss_names() -> None:
    script = "from tpm2_pytss._libtpm2_pytss import ffi; print(*ffi.list_types()[0])"
    done = subprocess.run([DEBIAN, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names = set(filter(NAME.match, done.stdout.split()))
    assert len(names) > 150
    assert "TPML_INTEL_PTT_PROPERTY" in names
    assert names - LISTED <= OWN


def test_every_name_is_declared_or_accounted_for() -> None:
    assert LISTED - DECLARED - set(UNDECLARED) - set(OTHER_NAMES) == set()
    assert not DECLARED & (set(UNDECLARED) | set(OTHER_NAMES))
    assert set(OTHER_NAMES.values()) <= DECLARED | set(UNDECLARED)
