"""Saves a loaded key outside the TPM, which has few slots, and loads it again without its parent."""

import os
import tempfile
from pathlib import Path

import tpmwire
from tpmwire import calls, templates
from tpmwire.spec.structures import TPMS_CONTEXT

path = Path(tempfile.mkdtemp()) / "key.context"

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    key = calls.create_primary(tpm, templates.signing("rsa2048"))  # takes seconds on a chip
    path.write_bytes(calls.save_context(tpm, key).build())

with tpmwire.Tpm.open(
    os.environ.get("TPMWIRE_TPM_PATH"), timeout=60
) as tpm:  # until the next restart of the machine
    key = calls.load_context(tpm, TPMS_CONTEXT.parse(path.read_bytes()))
    print(calls.sign(tpm, key, bytes(32)).sig_alg.name)
