"""Prints the SHA-256 digest of a file, computed by the TPM."""

import os
import sys
from pathlib import Path

import tpmwire
from tpmwire import calls

if len(sys.argv) < 2:
    sys.exit("usage: hash_file.py FILE")

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    print(calls.hash(tpm, Path(sys.argv[1]).read_bytes()).hex())
